#!/bin/bash
# NixOS with an empty root at every start, one LUKS disk
# Made by zroot 0.1.0. Run by hand it cannot be resumed.
#
# ERASES disk a: Disk of unknown model, 250.0 GB, SATA, serial W1
#     /dev/disk/by-id/ata-W1
#
# The pool rpool has no redundancy: if its disk fails, all of it is lost. Keep a copy elsewhere.
# crypt.cryptroot passes discards on to the disks: it keeps SSDs fast, and lets whoever has the disk see how much of it is in use, and where, but nothing of what it says.
# The kernels on the ESPs are neither encrypted nor authenticated: whoever has the machine in hand can change what starts.
# NixOS itself is not installed by this. Afterwards start NixOS's own installer by UEFI, with a network, and run there as root: mkdir -p /esp; mount /dev/disk/by-label/ESP-A /esp; sh /esp/zroot-nixos.sh - it opens and mounts all of this and calls nixos-install.
set -eu
again() { # COUNT COMMAND...: once more after a second, at most COUNT times
    left=$1; shift
    until "$@"; do
        [ "$left" -gt 0 ] || return 1
        left=$((left - 1)); sleep 1
    done
}
status() { # "STATUSES" COMMAND...: succeeds if the command ends with one of them
    good=$1; shift; ended=0
    "$@" || ended=$?
    case " $good " in *" $ended "*) ;; *) return 1 ;; esac
}
mkdir -p -m 0700 /run/zroot

fact_install_id=$(cat /proc/sys/kernel/random/uuid) # tells this installation from every other when it is resumed
fact_disk_guid_a=$(cat /proc/sys/kernel/random/uuid) # names the partition table of a disk
fact_esp_a=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ' | tr a-f A-F) # names an EFI system partition
fact_luks_cryptroot_a=$(cat /proc/sys/kernel/random/uuid) # names an encrypted member
fact_hostid=$(od -An -N4 -tx4 /dev/urandom | tr -d ' ') # tells ZFS which system has a pool in use
fact_machine_id=$(tr -d - </proc/sys/kernel/random/uuid) # tells the installed system from every other
IFS= read -rsp 'passphrase: ' secret_passphrase; echo
IFS= read -rsp 'user-password (its crypt(3) hash: mkpasswd): ' secret_user_password; echo

### teardown

# Erase all labels and signatures on disk a
status '0 1 255' zpool labelclear -f /dev/disk/by-id/ata-W1
udevadm settle --timeout=60
again 10 mdadm --zero-superblock /dev/disk/by-id/ata-W1
again 10 wipefs --all /dev/disk/by-id/ata-W1
sgdisk --zap-all /dev/disk/by-id/ata-W1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/ata-W1
again 10 blkdiscard --zeroout --offset=249998951424 --length=1048576 /dev/disk/by-id/ata-W1
again 20 blockdev --rereadpt /dev/disk/by-id/ata-W1

# Wait until udev has seen that the disks are empty
udevadm settle --timeout=60

# Prove that nothing is recognised on disk a any more
test -b /dev/disk/by-id/ata-W1
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1

### partitions

# Make the partition table of disk a
status '0 4' sgdisk --clear --set-alignment=2048 --disk-guid="${fact_disk_guid_a}" --new=1:0:+1024M --typecode=1:ef00 --change-name=1:esp --new=2:0:+237392M --typecode=2:8309 --change-name=2:root /dev/disk/by-id/ata-W1
again 20 blockdev --rereadpt /dev/disk/by-id/ata-W1

# Wait until udev has seen the new partition tables
udevadm settle --timeout=60

# Wait for the partitions to appear
again 60 test -e /dev/disk/by-id/ata-W1-part1
again 60 test -e /dev/disk/by-id/ata-W1-part2

# Remove what earlier contents of disk a left inside its new partitions
again 10 wipefs --all /dev/disk/by-id/ata-W1-part1 /dev/disk/by-id/ata-W1-part2
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/ata-W1-part1
again 10 blkdiscard --zeroout --offset=1072693248 --length=1048576 /dev/disk/by-id/ata-W1-part1
again 10 blkdiscard --zeroout --offset=0 --length=1048576 /dev/disk/by-id/ata-W1-part2
again 10 blkdiscard --zeroout --offset=248922505216 --length=1048576 /dev/disk/by-id/ata-W1-part2

# Prove that the new partitions of disk a are empty
test -b /dev/disk/by-id/ata-W1-part1
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1-part1
test -b /dev/disk/by-id/ata-W1-part2
status 2 blkid --probe --no-part-details /dev/disk/by-id/ata-W1-part2

# Format the EFI system partition of disk a
mkfs.fat -F 32 -n ESP-A -i "${fact_esp_a}" /dev/disk/by-id/ata-W1-part1

### encryption

# Encrypt cryptroot-a with LUKS2
printf '%s\n' "${secret_passphrase}" | cryptsetup luksFormat --type=luks2 --cipher=aes-xts-plain64 --key-size=512 --hash=sha256 --pbkdf=argon2id --pbkdf-memory=524288 --pbkdf-parallel=4 --pbkdf-force-iterations=4 --sector-size=4096 --uuid="${fact_luks_cryptroot_a}" --label=cryptroot-a --batch-mode /dev/disk/by-id/ata-W1-part2

# Wait until udev has seen what was encrypted for cryptroot
udevadm settle --timeout=60

# Open cryptroot-a with its passphrase
test -b /dev/mapper/cryptroot-a >/dev/null 2>&1 || {
printf '%s\n' "${secret_passphrase}" | cryptsetup open --type=luks2 --allow-discards /dev/disk/by-id/ata-W1-part2 cryptroot-a
}

# Wait until udev has seen what was opened for cryptroot
udevadm settle --timeout=60

### pools

# Take the host id that the new system will have
zgenhostid -f "${fact_hostid}"

# Create the pool rpool
zpool create -f -o ashift=12 -o autotrim=on -O mountpoint=none -O canmount=off -O acltype=posixacl -O compression=zstd -O normalization=none -O relatime=on -O xattr=sa -O dnodesize=auto -R /mnt/zroot rpool /dev/mapper/cryptroot-a

# Import the pool rpool
zpool list -H -o name rpool >/dev/null 2>&1 || {
zpool import -N -R /mnt/zroot -d /dev/mapper/cryptroot-a rpool
}

### datasets

# Create the dataset rpool/local
zfs create -u -o canmount=off rpool/local

# Create the dataset rpool/local/root
zfs create -u -o canmount=noauto -o mountpoint=legacy rpool/local/root

# Take the snapshot rpool/local/root@blank
zfs snapshot rpool/local/root@blank

# Create the dataset rpool/local/nix
zfs create -u -o mountpoint=legacy rpool/local/nix

# Create the dataset rpool/safe
zfs create -u -o canmount=off rpool/safe

# Create the dataset rpool/safe/home
zfs create -u -o mountpoint=legacy rpool/safe/home

# Create the dataset rpool/safe/persist
zfs create -u -o mountpoint=legacy rpool/safe/persist

# Name rpool/local/root as the root file system
zpool set bootfs=rpool/local/root rpool

# Mount rpool/local/root as / of the new system
mountpoint --quiet /mnt/zroot >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot
mount --types zfs rpool/local/root /mnt/zroot
}

# Mount rpool/safe/home as /home of the new system
mountpoint --quiet /mnt/zroot/home >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/home
mount --types zfs rpool/safe/home /mnt/zroot/home
}

# Mount rpool/local/nix as /nix of the new system
mountpoint --quiet /mnt/zroot/nix >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/nix
mount --types zfs rpool/local/nix /mnt/zroot/nix
}

# Mount rpool/safe/persist as /persist of the new system
mountpoint --quiet /mnt/zroot/persist >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/persist
mount --types zfs rpool/safe/persist /mnt/zroot/persist
}

### system

# Mount the EFI system partition as /boot of the new system
mountpoint -q /mnt/zroot/boot >/dev/null 2>&1 || {
mkdir --parents /mnt/zroot/boot
mount --types vfat --options umask=0077 /dev/disk/by-id/ata-W1-part1 /mnt/zroot/boot
}

# Make the folders that are kept in /persist
mkdir --parents /mnt/zroot/persist/etc/nixos /mnt/zroot/persist/etc/ssh /mnt/zroot/persist/var/lib/nixos /mnt/zroot/persist/var/lib/systemd /mnt/zroot/persist/var/log

# Give the system its machine id
mkdir -p /mnt/zroot/persist/etc
cat >/mnt/zroot/persist/etc/machine-id <<END
${fact_machine_id}
END
chmod 0444 /mnt/zroot/persist/etc/machine-id

# Write the configuration of NixOS
mkdir -p /mnt/zroot/persist/etc/nixos
cat >/mnt/zroot/persist/etc/nixos/configuration.nix <<END
# Written by zroot. Change it in /etc/nixos, then: nixos-rebuild switch
{ config, lib, pkgs, ... }:

{
  imports = [ ./hardware-configuration.nix ];

  # UEFI only. Kernels lie on the ESP, which is /boot; nobody edits their arguments at the menu.
  boot.loader.systemd-boot.enable = true;
  boot.loader.systemd-boot.consoleMode = "max";
  boot.loader.systemd-boot.editor = false;
  boot.loader.efi.canTouchEfiVariables = true;
  boot.loader.efi.efiSysMountPoint = "/boot";
  boot.loader.timeout = 3;
  boot.kernelParams = [ "quiet" ];

  boot.supportedFilesystems = [ "zfs" ];
  # The host id under which the pool was made; with it, nothing has to be forced.
  networking.hostId = "${fact_hostid}";
  boot.zfs.forceImportRoot = false;
  boot.zfs.devNodes = "/dev/mapper";
  boot.zfs.requestEncryptionCredentials = false;
  # systemd mounts the datasets, as hardware-configuration.nix lists them.
  systemd.services.zfs-mount.enable = false;
  services.zfs.autoScrub.enable = true;
  services.zfs.trim.enable = true;

  # The root file system is emptied before it is mounted, from the first start on: all that must stay is in
  # /persist. A service, because systemd's initramfs has no postMountCommands.
  boot.initrd.systemd.enable = true;
  boot.initrd.systemd.services.rollback = {
    description = "Roll the root file system back to rpool/local/root@blank";
    wantedBy = [ "initrd.target" ];
    requires = [ "zfs-import-rpool.service" ];
    after = [ "zfs-import-rpool.service" ];
    before = [ "sysroot.mount" ];
    unitConfig.DefaultDependencies = "no";
    unitConfig.ConditionKernelCommandLine = "!zroot.keep";
    serviceConfig.Type = "oneshot";
    path = [ config.boot.zfs.package ];
    script = "zfs rollback -r rpool/local/root@blank";
  };
  # The escape: a second entry of the boot menu, which keeps what changed in the root file system.
  specialisation.keep-what-changed.configuration.boot.kernelParams = [ "zroot.keep" ];

  networking.hostName = "nixos";
  networking.useDHCP = false;
  systemd.network.enable = true;
  systemd.network.networks."20-wired" = {
    matchConfig.Name = "en* eth*";
    networkConfig.DHCP = "yes";
    linkConfig.RequiredForOnline = "no";
  };
  time.timeZone = "Etc/UTC";
  i18n.defaultLocale = "en_US.UTF-8";
  # The passphrase is typed on the same keyboard.
  services.xserver.xkb.layout = "us";
  console.useXkbConfig = true;
  console.earlySetup = true;

  # Made anew at every start from what stands here. Hashes of passwords lie where only root reads them, for
  # this file becomes part of the Nix store, which everybody reads. A new password: mkpasswd > the file.
  users.mutableUsers = false;
  users.users."user" = {
    isNormalUser = true;
    uid = 1000;
    group = "user";
    extraGroups = [ "wheel" ];
    hashedPasswordFile = "/persist/etc/nixos-secrets/user";
  };
  users.groups."user".gid = 1000;

  services.openssh.enable = true;
  zramSwap.enable = true;

  # 25.11 is what data of services begins with; it stays as it is when NixOS is updated.
  system.stateVersion = "25.11";
}
END
chmod 0644 /mnt/zroot/persist/etc/nixos/configuration.nix

# Write what it says of the storage
mkdir -p /mnt/zroot/persist/etc/nixos
cat >/mnt/zroot/persist/etc/nixos/hardware-configuration.nix <<END
# Written by zroot in the place of nixos-generate-config.
{ config, lib, modulesPath, ... }:

{
  imports = [ (modulesPath + "/installer/scan/not-detected.nix") ];

  boot.initrd.availableKernelModules = [ "ahci" "nvme" "sd_mod" "sr_mod" "usb_storage" "usbhid" "virtio_blk" "virtio_pci" "virtio_scsi" "xhci_pci" ];
  boot.initrd.luks.devices."cryptroot-a" = {
    device = "/dev/disk/by-uuid/${fact_luks_cryptroot_a}";
    allowDiscards = true;
  };

  fileSystems."/" = { device = "rpool/local/root"; fsType = "zfs"; };
  fileSystems."/home" = { device = "rpool/safe/home"; fsType = "zfs"; };
  fileSystems."/nix" = { device = "rpool/local/nix"; fsType = "zfs"; };
  fileSystems."/persist" = { device = "rpool/safe/persist"; fsType = "zfs"; neededForBoot = true; };
  fileSystems."/boot" = {
    device = "/dev/disk/by-uuid/${fact_esp_a}";
    fsType = "vfat";
    options = [ "umask=0077" ];
  };

  # Kept in /persist: everything else in the root file system is gone with the next start.
  fileSystems."/etc/nixos" = {
    device = "/persist/etc/nixos";
    fsType = "none";
    options = [ "bind" ];
    depends = [ "/persist" ];
  };
  fileSystems."/etc/ssh" = {
    device = "/persist/etc/ssh";
    fsType = "none";
    options = [ "bind" ];
    depends = [ "/persist" ];
  };
  fileSystems."/var/lib/nixos" = {
    device = "/persist/var/lib/nixos";
    fsType = "none";
    options = [ "bind" ];
    depends = [ "/persist" ];
  };
  fileSystems."/var/lib/systemd" = {
    device = "/persist/var/lib/systemd";
    fsType = "none";
    options = [ "bind" ];
    depends = [ "/persist" ];
  };
  fileSystems."/var/log" = {
    device = "/persist/var/log";
    fsType = "none";
    options = [ "bind" ];
    depends = [ "/persist" ];
  };
  environment.etc."machine-id".source = "/persist/etc/machine-id";

  nixpkgs.hostPlatform = "x86_64-linux";
  hardware.cpu.amd.updateMicrocode = lib.mkDefault config.hardware.enableRedistributableFirmware;
  hardware.cpu.intel.updateMicrocode = lib.mkDefault config.hardware.enableRedistributableFirmware;
}
END
chmod 0644 /mnt/zroot/persist/etc/nixos/hardware-configuration.nix

# Write what is to be run in the installer of NixOS
mkdir -p /mnt/zroot/persist/etc/nixos
cat >/mnt/zroot/persist/etc/nixos/install.sh <<END
#!/bin/sh
# Run this as root in the installer of NixOS, started by UEFI and with a network:
#     mkdir -p /esp; mount /dev/disk/by-label/ESP-A /esp; sh /esp/zroot-nixos.sh
# It opens and mounts what zroot made, installs NixOS there, and closes everything again.
set -eux
cd /
cryptsetup open --allow-discards /dev/disk/by-uuid/${fact_luks_cryptroot_a} cryptroot-a
zpool import -N -d /dev/mapper rpool
mkdir -p /mnt
mount -t zfs rpool/local/root /mnt
mkdir -p /mnt/home
mount -t zfs rpool/safe/home /mnt/home
mkdir -p /mnt/nix
mount -t zfs rpool/local/nix /mnt/nix
mkdir -p /mnt/persist
mount -t zfs rpool/safe/persist /mnt/persist
mkdir -p /mnt/boot
mount -o umask=0077 /dev/disk/by-uuid/${fact_esp_a} /mnt/boot
mkdir -p /mnt/etc/nixos
mount --bind /mnt/persist/etc/nixos /mnt/etc/nixos
mkdir -p /mnt/etc/ssh
mount --bind /mnt/persist/etc/ssh /mnt/etc/ssh
mkdir -p /mnt/var/lib/nixos
mount --bind /mnt/persist/var/lib/nixos /mnt/var/lib/nixos
mkdir -p /mnt/var/lib/systemd
mount --bind /mnt/persist/var/lib/systemd /mnt/var/lib/systemd
mkdir -p /mnt/var/log
mount --bind /mnt/persist/var/log /mnt/var/log
nixos-install --root /mnt --no-root-passwd
# Until it is exported the pool belongs to this installer, and another system refuses it.
umount -R /mnt
zpool export rpool
cryptsetup close cryptroot-a
END
chmod 0644 /mnt/zroot/persist/etc/nixos/install.sh

# Name the EFI system partition as udev does, with a hyphen in its number
sed --in-place --regexp-extended 's,(by-uuid/[0-9A-F]{4})([0-9A-F]{4})([^0-9a-f-]|$),\1-\2\3,' /mnt/zroot/persist/etc/nixos/hardware-configuration.nix /mnt/zroot/persist/etc/nixos/install.sh

# Leave a copy of it where the installer of NixOS can read it
cp /mnt/zroot/persist/etc/nixos/install.sh /mnt/zroot/boot/zroot-nixos.sh

# Keep the hash of the password of user
install --directory --mode=0700 /mnt/zroot/persist/etc/nixos-secrets
printf '%s' "${secret_user_password}"'
' | install --mode=0600 /dev/stdin /mnt/zroot/persist/etc/nixos-secrets/user

### finish

# Keep recipe, plan, journal and log in the new system
: # zroot would save its recipe, plan, journal and log to /mnt/zroot/persist/var/log/zroot here

# Unmount /mnt/zroot/boot
again 10 umount /mnt/zroot/boot

# Unmount /mnt/zroot/persist
again 10 umount /mnt/zroot/persist

# Unmount /mnt/zroot/nix
again 10 umount /mnt/zroot/nix

# Unmount /mnt/zroot/home
again 10 umount /mnt/zroot/home

# Unmount /mnt/zroot
again 10 umount /mnt/zroot

# Export the pool rpool
test '!' -e /proc/spl/kstat/zfs/rpool >/dev/null 2>&1 || {
again 10 zpool export rpool
}

# Close cryptroot-a
test '!' -e /dev/mapper/cryptroot-a >/dev/null 2>&1 || {
again 10 cryptsetup close cryptroot-a
}
