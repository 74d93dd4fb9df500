# shellcheck shell=bash
# Shared by the broker scripts; sourced, never run.

cache=${DLQ_BROKERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/dlq-brokers}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd -P)
run=${DLQ_BROKERS_RUN:-$cache/run}
mkdir -p "$run"
run=$(cd "$run" && pwd -P)

# One line a server: its script, the version the script takes (- for none), and
# the beginnings of the variables that point the tests at it.
servers=(
  "rabbitmq 4.3 DLQ_TEST_RABBITMQ_43 DLQ_TEST_RABBITMQ_CLIENT"
  "rabbitmq 4.0 DLQ_TEST_RABBITMQ_40"
  "rabbitmq 3.10 DLQ_TEST_RABBITMQ_310"
  "elasticmq - DLQ_TEST_ELASTICMQ"
  "moto - DLQ_TEST_MOTO"
  "kafka - DLQ_TEST_KAFKA"
  "nats - DLQ_TEST_NATS"
)
# server COMMAND SCRIPT VERSION
server() { "$here/$2.sh" "$1" $([[ $3 == - ]] || echo "$3"); }

# Standard output is for `export` lines alone, so that it can be evaluated.
say() { printf '%s\n' "$*" >&2; }

# cannot SERVER VARIABLE REASON
cannot() {
  say "$1 cannot be had here: $3"
  say "Point the tests at your own: export $2=... (and the other ${2%_URL}_* variables printed by \`${0##*/} env\`)"
  exit 1
}

# The lock is inherited by what the body runs, so an installer that outlives a
# killed script still keeps the next one waiting.
# locked NAME COMMAND...
locked() (
  exec 9>"$cache/.lock-$1"
  flock 9
  shift
  "$@"
)

# apt_or_path COMMAND PACKAGE: for what any machine may have; apt is asked only where it is missing.
apt_or_path() {
  command -v "$1" >/dev/null || { command -v apt-get >/dev/null && [[ $EUID -eq 0 ]] && apt_need "$@"; }
}

# Runs under a lock of its caller; DIR/complete tells that all of it is there.
# maven_jars DIR GROUP ARTIFACT VERSION
maven_jars() {
  rm -rf "$1" "$1.tmp"
  mkdir -p "$1.tmp"
  cat >"$1.tmp/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dlq</groupId><artifactId>tests</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>$2</groupId><artifactId>$3</artifactId><version>$4</version></dependency>
  </dependencies>
</project>
END
  mvn -q -B -f "$1.tmp/pom.xml" dependency:copy-dependencies -DoutputDirectory=lib >"$1.log" 2>&1 \
    || { tail -n 5 "$1.log" >&2; return 1; }
  touch "$1.tmp/complete"
  mv "$1.tmp" "$1"
}

# apt_need COMMAND_OR_FILE PACKAGE
apt_need() { locked apt apt_need_locked "$@"; }
apt_need_locked() {
  if [[ -e $1 ]] || command -v "$1" >/dev/null; then return; fi
  say "installing $2 by apt"
  apt-get update -qq >&2
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$2" >"$cache/apt-$2.log" 2>&1 \
    || { tail -n 5 "$cache/apt-$2.log" >&2; return 1; }
}

# The mirror the host itself uses, whichever way its sources are written.
debian_mirror() {
  [[ -z ${DLQ_BROKERS_MIRROR:-} ]] || { echo "$DLQ_BROKERS_MIRROR"; return; }
  local attempt found
  for attempt in lists update; do
    [[ $attempt == lists ]] || apt-get update -qq >&2 || true
    # shellcheck disable=SC2016
    found=$(apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 2>/dev/null \
      | awk '$2 == "Debian" && $1 ~ /^https?:/ && !n++ { sub("/$", "", $1); print $1 }') || found=
    [[ -z $found ]] || break
  done
  echo "${found:-http://deb.debian.org/debian}"
}

# debootstrap downloads with wget, which does not read apt's settings.
# apt_proxy URL
apt_proxy() {
  local detect='' proxy='' host=${1#*://} scheme=${1%%:*}
  host=${host%%[/:]*}
  eval "$(apt-config shell proxy "Acquire::$scheme::Proxy" detect "Acquire::$scheme::Proxy-Auto-Detect")"
  if [[ -z $proxy && -n $detect ]]; then proxy=$("$detect" "$1") || proxy=; fi
  eval "$(apt-config shell proxy "Acquire::$scheme::Proxy::$host")"
  [[ -n $proxy ]] || return 0
  if [[ $proxy == DIRECT ]]; then export no_proxy="$host${no_proxy:+,$no_proxy}"; return; fi
  export "${scheme}_proxy=$proxy"
}

# listening PORT: by the kernel's table, as `ss` may be missing.
listening() {
  awk -v port="$(printf ':%04X' "$1")" \
    '$4 == "0A" && substr($2, length($2) - 4) == port { found = 1 } END { exit !found }' \
    /proc/net/tcp /proc/net/tcp6 2>/dev/null
}

# A claimed port keeps its file, so that servers starting side by side never
# choose the same one. Below the usual range of ephemeral ports.
# claim_port NAME
claim_port() {
  local port tries
  mkdir -p "$run/ports"
  for ((tries = 0; tries < 500; tries++)); do
    port=$((20000 + RANDOM % 10000))
    if listening "$port"; then continue; fi
    if (set -o noclobber && echo "$1" >"$run/ports/$port") 2>/dev/null; then
      echo "$port"
      return
    fi
  done
  say "no free port"
  return 1
}

# wait_until SECONDS COMMAND...
wait_until() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}

# A pid file may outlive its process and the number be given to another, so the
# process must also carry the mark it was started with.
# marked PID MARK
marked() {
  # Without a pipe: who writes into one that is closed early is said to have failed.
  [[ $1 =~ ^[0-9]+$ ]] && grep -qzxF "DLQ_BROKER=$2" "/proc/$1/environ"
} 2>/dev/null
unmarked() { ! marked "$@"; }
# ours PIDFILE MARK
ours() { [[ -s $1 ]] && marked "$(tr -d '[:space:]' <"$1")" "$2"; }

# The number is read once: a server may remove its pid file before it has ended.
# stop_ours PIDFILE MARK SECONDS
stop_ours() {
  local pid=
  [[ ! -s $1 ]] || pid=$(tr -d '[:space:]' <"$1")
  if marked "$pid" "$2"; then
    kill -TERM "$pid" 2>/dev/null || true
    wait_until "$3" unmarked "$pid" "$2" || killed "$pid" "$2"
  fi
  rm -f "$1"
}

# A process that has much to give back, or waits for a busy disk, is there for a while after it was killed.
# killed PID MARK
killed() {
  kill -KILL "$1" 2>/dev/null || true
  wait_until 60 unmarked "$@" || { say "process $1 was killed and is still there"; return 1; }
}

# As when the power fails, but for what the system has yet to write.
# kill_ours PIDFILE MARK
kill_ours() {
  ours "$1" "$2" || { say "there is no process to kill"; return 69; }
  killed "$(tr -d '[:space:]' <"$1")" "$2"
}
