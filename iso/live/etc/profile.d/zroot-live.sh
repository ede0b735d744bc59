# The greeting of the live system, once on each console.
case $(tty) in
    /dev/tty1|/dev/ttyS0) /opt/zroot/bin/python -m installer.machine.greeting ;;
esac
