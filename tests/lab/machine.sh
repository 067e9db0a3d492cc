#!/usr/bin/env bash
# Makes a machine of fresh namespaces: names, mounts, addresses, routes. Run once inside each, before anything else.
# Whatever it does ends with the namespaces; of the host it sees the files, and changes none.
#   machine.sh control-plane|node|service
#   LAB_NAME, LAB_ADDRESS   the machine's name, and its address on the LAN
#   LAB_NODES               how many nodes there are
#   LAB_FOLDER              the lab's folder, with `hosts` and `resolv.conf`
#   LAB_MACHINE             the machine's own folder: its disk
set -euo pipefail

role=$1

hostname "$LAB_NAME"

# What daemons write to built-in places is the machine's own.
mount -t tmpfs tmpfs /run
mkdir -p /run/lock /run/netns
mount -t tmpfs tmpfs /var/lib
mount -t tmpfs tmpfs /var/log

# One file of names for all machines. It may be changed while they run, so it is written in place, never replaced.
mount --bind "$LAB_FOLDER/hosts" /etc/hosts
# Where that of the host is a link into /run, the machine has a /run of its own.
resolver=$(readlink -m /etc/resolv.conf)
if [[ $resolver == /run/* ]]; then
  mkdir -p "${resolver%/*}"
  : >"$resolver"
fi
mount --bind "$LAB_FOLDER/resolv.conf" "$resolver"

ip link set lo up
echo 1 >/proc/sys/net/ipv4/ip_forward

if [[ $role == control-plane ]]; then
  ip link add lan0 type bridge
  ip addr add "$LAB_ADDRESS/24" dev lan0
  ip link set lan0 up
  # Nobody has this address: there is no way out. But without any route, what a node would redirect goes nowhere either.
  ip route add default via 10.240.0.254
else
  ip addr add "$LAB_ADDRESS/24" dev eth0
  ip link set eth0 up
  ip route add default via 10.240.0.1
fi

# The pods of every node but this one.
for ((i = 1; i <= LAB_NODES; i++)); do
  [[ $LAB_NAME == "node-$i" ]] || ip route add "10.244.$i.0/24" via "10.240.0.$((10 + i))"
done

if [[ $role == service ]]; then
  # Its data is on its disk, under a path that users other than root may enter.
  mkdir -p /var/lib/lab "$LAB_MACHINE/data"
  mount --bind "$LAB_MACHINE/data" /var/lib/lab
fi

[[ $role == node ]] || exit 0

for pair in containerd:/var/lib/containerd kubelet:/var/lib/kubelet cni:/var/lib/cni pods:/var/log/pods containers:/var/log/containers; do
  mkdir -p "$LAB_MACHINE/${pair%%:*}" "${pair#*:}"
  mount --bind "$LAB_MACHINE/${pair%%:*}" "${pair#*:}"
done
# What the kubelet mounts must be seen in the containers' namespaces.
mount --make-rshared /

# The kubelet wants these of the kernel, which is everybody's. It is shown that they are so, and writes nothing.
while read -r name value; do
  shown=$LAB_MACHINE/sysctl/$name
  mkdir -p "${shown%/*}"
  echo "$value" >"$shown"
  mount --bind "$shown" "/proc/sys/$name"
done <<'SYSCTL'
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SYSCTL
