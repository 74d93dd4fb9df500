#!/usr/bin/env bash
# moto.sh install|start|stop|env: SNS that delivers to SQS, as far as moto plays them.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

name=moto version=5.2.5 variable=DLQ_TEST_MOTO_URL
# shellcheck source=one_port.sh
. "$here/one_port.sh"
venv=$cache/moto-$version

install() {
  [[ ! -e $venv/complete ]] || return 0
  locked "moto-$version" install_locked
}
install_locked() {
  [[ ! -e $venv/complete ]] || return 0
  apt_or_path python3 python3 || give_up "Python could not be installed"
  say "installing moto $version by pip"
  rm -rf "$venv"
  # A Python without ensurepip, as Debian's is without python3-venv, makes no environment.
  python3 -m venv "$venv" >"$venv.log" 2>&1 || {
    rm -rf "$venv"
    apt_need /usr/share/doc/python3-venv python3-venv && /usr/bin/python3 -m venv "$venv" >"$venv.log" 2>&1
  } || give_up "python3 -m venv failed (log: $venv.log)"
  "$venv/bin/pip" install -q "moto==$version" flask==3.1.3 flask-cors==6.0.5 >>"$venv.log" 2>&1 \
    || give_up "pip could not install it (log: $venv.log)"
  touch "$venv/complete"
}

configure() { :; }

launch() { exec setsid "$venv/bin/python" "$venv/bin/moto_server" -H 127.0.0.1 -p "$port"; }

answers() {
  [[ $(curl --noproxy '*' -s -m 5 -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/moto-api/") == 200 ]]
}

main "$@"
