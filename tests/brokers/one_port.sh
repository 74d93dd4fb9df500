# shellcheck shell=bash
# Shared by the scripts of servers that are one process on one port; sourced after lib.sh, never run. Theirs are
# `name`, `version` and `variable`, and the functions `install`, `configure`, `launch` (execs the server) and `answers`.

state=$run/${name,,}
mark=$state
port=''
give_up() { cannot "$name $version" "$variable" "$1"; }

# The port is kept from one start to the next, unless another program has taken it since.
ports() {
  [[ ! -e $state/port ]] || port=$(<"$state/port")
  if [[ -z $port ]] || { [[ $1 == fresh ]] && listening "$port"; }; then
    port=$(claim_port "${name,,}")
    echo "$port" >"$state/port"
  fi
}

# In the midst of an exec a process has no environment, so one look is not enough.
dead() { ! ours "$state/server.pid" "$mark" && sleep 0.2 && ! ours "$state/server.pid" "$mark"; }
ready_or_dead() { answers || dead; }

start() {
  apt_or_path curl curl || give_up "curl could not be installed"
  install
  mkdir -p "$state"
  locked "start-${name,,}" start_locked
}
start_locked() {
  if ours "$state/server.pid" "$mark"; then
    ports kept
    if wait_until 30 ready_or_dead && answers; then return; fi
  fi
  stop_locked
  ports fresh
  mkdir -p "$state/log"
  configure
  say "starting $name $version"
  (
    # A test harness that waits for the end of its pipes must not wait for the server.
    exec </dev/null >"$state/log/console.log" 2>&1 9>&-
    echo "$BASHPID" >"$state/server.pid"
    export DLQ_BROKER=$mark
    launch
  ) &
  # Until its first exec the child does not carry the mark.
  wait_until 10 ours "$state/server.pid" "$mark" || give_up "it did not start (log: $state/log/console.log)"
  if ! wait_until 60 ready_or_dead || ! answers; then
    tail -n 20 "$state/log/console.log" >&2
    stop_locked
    give_up "it did not become ready (log: $state/log/console.log)"
  fi
}

stop() {
  [[ -d $state ]] || return 0
  locked "start-${name,,}" stop_locked
}
stop_locked() { stop_ours "$state/server.pid" "$mark" 10; }

env_lines() {
  [[ -e $state/port ]] || { say "$name was never started"; exit 1; }
  ports kept
  printf 'export %s=%q\n' "$variable" "http://127.0.0.1:$port"
}

# main COMMAND
main() {
  case ${1:-} in
    install) install ;;
    start) start ;;
    stop) stop ;;
    env) env_lines ;;
    *) say "usage: ${0##*/} install|start|stop|env"; exit 2 ;;
  esac
}
