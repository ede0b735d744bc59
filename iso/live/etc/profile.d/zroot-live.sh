# The guided install on the screen and on the first serial line; whoever leaves it has this shell.
case $(tty) in
    /dev/tty1|/dev/ttyS0)
        if [ -z "${ZROOT_SHELL:-}" ]; then
            case $(stty size) in
                "0 0") stty rows 24 cols 80 ;; # a serial line does not tell
            esac
            dmesg --console-level emerg # messages would be painted over the screens
            /opt/zroot/bin/zroot
            dmesg --console-level warn
            /opt/zroot/bin/python -m installer.machine.greeting
        fi ;;
esac
