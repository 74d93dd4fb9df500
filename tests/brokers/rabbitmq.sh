#!/usr/bin/env bash
# rabbitmq.sh install|start|stop|kill|env|ctl 4.3|4.0|3.10
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

usage() { say "usage: rabbitmq.sh install|start|stop|kill|env|ctl 4.3|4.0|3.10 [rabbitmqctl arguments]"; exit 2; }
[[ $# -ge 2 ]] || usage
command=$1 version=$2
shift 2
case $version in
  4.3) suite=forky script=sid var=DLQ_TEST_RABBITMQ_43 ;;
  4.0) suite=trixie script=sid var=DLQ_TEST_RABBITMQ_40 ;;
  3.10) suite=bookworm script=bookworm var=DLQ_TEST_RABBITMQ_310 ;;
  *) usage ;;
esac
root=$cache/rabbitmq-$version
state=$run/rabbitmq-$version
mark=$state
amqp='' tls='' management='' dist='' epmd=''
give_up() { cannot "RabbitMQ $version" "${var}_URL" "$1"; }

# Mounts are made in a namespace of the process itself: they end with it, however it ends.
# in_root COMMAND...
in_root() {
  # shellcheck disable=SC2016
  DLQ_BROKER=$mark exec unshare --mount bash -c '
    set -e
    root=$1 state=$2
    shift 2
    mount --rbind /dev "$root/dev"
    mount --rbind /proc "$root/proc"
    mount --bind "$state" "$root/dlq"
    exec chroot "$root" "$@"' in_root "$root" "$state" \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/dlq LANG=C.UTF-8 DLQ_BROKER="$mark" \
    ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT="$epmd" ERL_CRASH_DUMP=/dlq/log/erl_crash.dump \
    ERL_FLAGS="-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}" \
    RABBITMQ_NODENAME="dlq${version//./}@localhost" \
    RABBITMQ_MNESIA_BASE=/dlq/data RABBITMQ_GENERATED_CONFIG_DIR=/dlq/data/config \
    RABBITMQ_LOG_BASE=/dlq/log RABBITMQ_PID_FILE=/dlq/node.pid \
    RABBITMQ_ENABLED_PLUGINS_FILE=/dlq/enabled_plugins RABBITMQ_CONFIG_FILE=/dlq/rabbitmq.conf \
    RABBITMQ_DIST_PORT="$dist" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none" \
    RABBITMQ_CTL_ERL_ARGS="+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none" \
    "$@"
}

able() {
  [[ $EUID -eq 0 ]] || give_up "it takes root (a Debian folder and chroot)"
  command -v apt-get >/dev/null || give_up "it takes a Debian or Ubuntu machine (apt-get is missing)"
  unshare --mount true 2>/dev/null || give_up "mount namespaces are not allowed (unshare --mount)"
}

installed() { [[ -e $root/dlq-complete ]]; }

install() {
  ! installed || return 0
  able
  locked "rabbitmq-$version" install_locked
}

install_locked() {
  ! installed || return 0
  local keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror got
  apt_need debootstrap debootstrap || give_up "debootstrap could not be installed"
  apt_need "$keyring" debian-archive-keyring || give_up "Debian's keyring could not be installed"
  mirror=$(debian_mirror)
  apt_proxy "$mirror"
  rm -rf --one-file-system "$root" "$root.tmp"
  mkdir -p "$cache/debs-$suite"
  say "installing RabbitMQ $version from Debian $suite at $mirror"
  unshare --mount debootstrap --variant=minbase --keyring="$keyring" --force-check-gpg \
    --cache-dir="$cache/debs-$suite" --include=rabbitmq-server "$suite" "$root.tmp" "$mirror" \
    "/usr/share/debootstrap/scripts/$script" >"$cache/debootstrap-$suite.log" 2>&1 || {
    tail -n 5 "$cache/debootstrap-$suite.log" >&2
    give_up "debootstrap of $suite failed (full log: $cache/debootstrap-$suite.log; another mirror: DLQ_BROKERS_MIRROR)"
  }
  # Without a name for itself a node hangs silently at start.
  echo "127.0.0.1 localhost $(uname -n)" >"$root.tmp/etc/hosts"
  mkdir -p "$root.tmp/dlq"
  # shellcheck disable=SC2016
  got=$(chroot "$root.tmp" dpkg-query -W -f '${Version}' rabbitmq-server)
  [[ $got == "$version".* ]] || say "warning: Debian $suite now has RabbitMQ $got, not $version"
  mv "$root.tmp" "$root"
  echo "$got" >"$root/dlq-complete"
  rm -rf "$cache/debs-$suite"
}

# Ports are kept from one start to the next, unless another program has taken one since.
ports() {
  local name
  # shellcheck disable=SC1091
  [[ ! -e $state/ports ]] || . "$state/ports"
  for name in amqp tls management dist epmd; do
    if [[ -z ${!name:-} ]] || { [[ $1 == fresh ]] && listening "${!name}"; }; then
      printf -v "$name" %s "$(claim_port "rabbitmq-$version $name")"
    fi
  done
  for name in amqp tls management dist epmd; do echo "$name=${!name}"; done >"$state/ports.tmp"
  mv "$state/ports.tmp" "$state/ports"
}

certificates() {
  [[ ! -e $state/tls/client.pem ]] || return 0
  apt_need openssl openssl || give_up "openssl could not be installed"
  local tls=$state/tls name
  rm -rf "$tls"
  mkdir -p "$tls"
  key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1" 2>/dev/null; }
  key "$tls/ca-key.pem"
  openssl req -x509 -new -key "$tls/ca-key.pem" -days 3650 -subj "/CN=dlq-ops test CA" \
    -addext keyUsage=critical,keyCertSign,cRLSign -out "$tls/ca.pem"
  for name in server client; do
    key "$tls/$name-key.pem"
    openssl req -new -key "$tls/$name-key.pem" -subj "/CN=dlq-ops test $name" -out "$tls/$name.csr"
    openssl x509 -req -in "$tls/$name.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca-key.pem" \
      -set_serial "0x$(openssl rand -hex 8)" -days 3650 -out "$tls/$name.tmp" 2>/dev/null -extfile <(
      echo basicConstraints=critical,CA:FALSE
      echo keyUsage=critical,digitalSignature
      echo "extendedKeyUsage=${name}Auth"
      echo subjectKeyIdentifier=hash
      echo authorityKeyIdentifier=keyid
      echo subjectAltName=DNS:localhost,IP:127.0.0.1
    )
    mv "$tls/$name.tmp" "$tls/$name.pem"
  done
}

configure() {
  mkdir -p "$state/log" "$state/data"
  [[ -e $state/.erlang.cookie ]] || (umask 377 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$state/.erlang.cookie")
  echo '[rabbitmq_management,rabbitmq_shovel,rabbitmq_shovel_management].' >"$state/enabled_plugins"
  {
    echo "listeners.tcp.1 = 127.0.0.1:$amqp"
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $management"
    echo "log.console = false"
    echo "log.file = rabbit.log"
    echo "vm_memory_high_watermark.relative = 0.8"
    echo "disk_free_limit.absolute = 50MB"
    if [[ $version == 4.3 ]]; then
      echo "listeners.ssl.1 = 127.0.0.1:$tls"
      echo "ssl_options.cacertfile = /dlq/tls/ca.pem"
      echo "ssl_options.certfile = /dlq/tls/server.pem"
      echo "ssl_options.keyfile = /dlq/tls/server-key.pem"
      echo "ssl_options.verify = verify_peer"
      echo "ssl_options.fail_if_no_peer_cert = false"
    fi
  } >"$state/rabbitmq.conf"
  {
    echo '#!/usr/bin/env bash'
    printf 'DLQ_BROKERS_DIR=%q DLQ_BROKERS_RUN=%q exec %q ctl %s "$@"\n' "$cache" "$run" "$here/rabbitmq.sh" "$version"
  } >"$state/rabbitmqctl"
  {
    echo '#!/usr/bin/env bash'
    printf 'DLQ_BROKERS_DIR=%q DLQ_BROKERS_RUN=%q exec %q "$1" %s\n' "$cache" "$run" "$here/rabbitmq.sh" "$version"
  } >"$state/node"
  chmod +x "$state/rabbitmqctl" "$state/node"
}

# The listeners open last, so the answer for one of them speaks for the node.
answers() {
  [[ $(curl --noproxy '*' -s -m 5 -o /dev/null -w '%{http_code}' -u guest:guest \
    "http://127.0.0.1:$management/api/health/checks/port-listener/$amqp") == 200 ]]
}
# In the midst of an exec a process has no environment, so one look is not enough.
dead() { ! ours "$state/server.pid" "$mark" && sleep 0.2 && ! ours "$state/server.pid" "$mark"; }
ready_or_dead() { answers || dead; }

# background PIDFILE COMMAND...
background() {
  local pidfile=$1
  shift
  (
    # A test harness that waits for the end of its pipes must not wait for the server.
    exec </dev/null >>"$state/log/console.log" 2>&1 9>&-
    echo "$BASHPID" >"$pidfile"
    in_root setsid "$@"
  ) &
  # Until its first exec the child does not carry the mark.
  wait_until 10 ours "$pidfile" "$mark" || give_up "$1 did not start (log: $state/log/console.log)"
}

start() {
  apt_need curl curl || give_up "curl could not be installed"
  install
  able
  mkdir -p "$state"
  locked "start-$version" start_locked
}

start_locked() {
  if ours "$state/server.pid" "$mark"; then
    ports kept
    if wait_until 60 ready_or_dead && answers; then return; fi
  fi
  stop_locked
  ports fresh
  configure
  [[ $version != 4.3 ]] || certificates
  say "starting RabbitMQ $version"
  background "$state/epmd.pid" epmd -address 127.0.0.1 -port "$epmd"
  wait_until 10 listening "$epmd" || give_up "epmd did not start (log: $state/log/console.log)"
  background "$state/server.pid" /usr/lib/rabbitmq/bin/rabbitmq-server
  if ! wait_until 120 ready_or_dead || ! answers; then
    tail -n 20 "$state/log/console.log" >&2
    stop_locked
    give_up "the node did not become ready (logs: $state/log)"
  fi
}

stop() {
  [[ -d $state ]] || return 0
  locked "start-$version" stop_locked
}
stop_locked() {
  # node.pid is the virtual machine, server.pid the script that waits for it.
  stop_ours "$state/node.pid" "$mark" 30
  stop_ours "$state/server.pid" "$mark" 10
  stop_ours "$state/epmd.pid" "$mark" 10
  # rabbitmqctl starts an epmd of its own where it finds none, and leaves it.
  local pid
  while IFS=/ read -r _ _ pid _; do
    if marked "$pid" "$mark ctl"; then kill "$pid" 2>/dev/null || true; fi
  done < <(grep -lx epmd /proc/[0-9]*/comm 2>/dev/null)
}

env_lines() {
  [[ -e $state/ports ]] || { say "RabbitMQ $version was never started"; exit 1; }
  ports kept
  put() { printf 'export %s=%q\n' "$1" "$2"; }
  put "${var}_URL" "amqp://guest:guest@127.0.0.1:$amqp"
  put "${var}_MANAGEMENT" "http://127.0.0.1:$management"
  put "${var}_CTL" "$state/rabbitmqctl"
  put "${var}_NODE" "$state/node"
  if [[ $version == 4.3 ]]; then
    put "${var}_TLS_URL" "amqps://127.0.0.1:$tls"
    put "${var}_CA" "$state/tls/ca.pem"
    put DLQ_TEST_RABBITMQ_CLIENT_CERT "$state/tls/client.pem"
    put DLQ_TEST_RABBITMQ_CLIENT_KEY "$state/tls/client-key.pem"
  fi
}

ctl() {
  if ! ours "$state/server.pid" "$mark"; then say "RabbitMQ $version is not running"; exit 69; fi
  ports kept
  # What a test runs against the node is not for `stop` to end.
  mark="$state ctl"
  in_root /usr/lib/rabbitmq/bin/rabbitmqctl "$@"
}

case $command in
  install) install ;;
  start) start ;;
  stop) stop ;;
  kill) kill_ours "$state/node.pid" "$mark" ;;
  env) env_lines ;;
  ctl) ctl "$@" ;;
  *) usage ;;
esac
