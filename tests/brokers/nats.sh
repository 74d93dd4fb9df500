#!/usr/bin/env bash
# nats.sh install|start|stop|kill|env|log: a NATS server with JetStream. `kill` ends it as a power failure would; streams stay.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

name=NATS version=2.15 variable=DLQ_TEST_NATS_URL
# shellcheck source=one_port.sh
. "$here/one_port.sh"
root=$cache/nats-$version
binary=$root/usr/sbin/nats-server

install() {
  [[ ! -e $root/complete ]] || return 0
  locked "nats-$version" install_locked
}

# Debian 12 has an older one; that of `forky`, 2.15 or later, wants no newer C library and is unpacked, not installed. Lists and
# downloads are kept apart from those of the system.
install_locked() {
  [[ ! -e $root/complete ]] || return 0
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "there is no apt here"
  say "downloading NATS $version by apt"
  local tmp=$root.tmp keyring=/usr/share/keyrings/debian-archive-keyring.gpg mirror signed=''
  rm -rf "$root" "$tmp"
  mkdir -p "$tmp/apt/lists/partial" "$tmp/apt/cache/archives/partial" "$tmp/apt/parts"
  mirror=$(debian_mirror)
  [[ ! -e $keyring ]] || signed="[signed-by=$keyring]"
  echo "deb $signed $mirror forky main" >"$tmp/apt/sources.list"
  # As root apt would download as a user who may not write here.
  local options=(-o "Dir::Etc::sourcelist=$tmp/apt/sources.list" -o "Dir::Etc::sourceparts=$tmp/apt/parts"
    -o "Dir::State::lists=$tmp/apt/lists" -o "Dir::Cache=$tmp/apt/cache" -o APT::Sandbox::User=)
  {
    apt-get -q "${options[@]}" update
    cd "$tmp/apt"
    apt-get -q "${options[@]}" download nats-server
    dpkg-deb -x nats-server_*.deb "$tmp"
    "$tmp/usr/sbin/nats-server" --version
  } >"$root.log" 2>&1 || give_up "apt could not download it, or it does not run here (log: $root.log)"
  rm -rf "$tmp/apt"
  touch "$tmp/complete"
  mv "$tmp" "$root"
}

# A CA and a certificate of it for 127.0.0.1, for servers of a test's own.
certificates() {
  [[ ! -e $state/tls/server-cert.pem ]] || return 0
  apt_or_path openssl openssl || give_up "openssl could not be installed"
  local tls=$state/tls
  mkdir -p "$tls"
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tls/ca-key.pem" -days 3650 -subj "/CN=dlq-ops test ca" -out "$tls/ca.pem" \
    2>/dev/null
  openssl req -new -newkey rsa:2048 -nodes -keyout "$tls/server-key.pem" -subj "/CN=localhost" -out "$tls/server.csr" 2>/dev/null
  openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca-key.pem" -set_serial 1 -days 3650 \
    -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out "$tls/server.tmp" 2>/dev/null
  mv "$tls/server.tmp" "$tls/server-cert.pem"
}

configure() {
  certificates
  mkdir -p "$state/data"
  cat >"$state/nats.conf" <<END
listen: "127.0.0.1:$port"
server_name: dlq-tests
max_payload: 8MB
jetstream { store_dir: "$state/data", max_file_store: 8GB, max_memory_store: 256MB }
END
}

launch() { exec setsid "$binary" -c "$state/nats.conf"; }

# JetStream answers by itself a moment after the port does.
asked() {
  exec 3<>"/dev/tcp/127.0.0.1/$port" || return 1
  printf 'CONNECT {"verbose":false,"headers":true,"no_responders":true}\r\nSUB _INBOX.up 1\r\nPUB $JS.API.INFO _INBOX.up 0\r\n\r\n' >&3
  timeout 5 grep -q -m 1 '"max_storage"' <&3
}
answers() { (asked) 2>/dev/null; }

case ${1:-} in
  env)
    [[ -e $state/port ]] || { say "$name was never started"; exit 1; }
    ports kept
    {
      echo '#!/usr/bin/env bash'
      printf 'DLQ_BROKERS_DIR=%q DLQ_BROKERS_RUN=%q exec %q "$@"\n' "$cache" "$run" "$here/nats.sh"
    } >"$state/control"
    chmod +x "$state/control"
    printf 'export %s=%q\n' "$variable" "nats://127.0.0.1:$port"
    # For servers of a test's own: with logins, with TLS, without JetStream.
    printf 'export DLQ_TEST_NATS_BINARY=%q\n' "$binary"
    printf 'export DLQ_TEST_NATS_TLS=%q\n' "$state/tls"
    printf 'export DLQ_TEST_NATS_CONTROL=%q\n' "$state/control"
    ;;
  kill) kill_ours "$state/server.pid" "$mark" ;;
  log) cat "$state/log/console.log" ;;
  *) main "$@" ;;
esac
