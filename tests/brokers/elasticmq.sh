#!/usr/bin/env bash
# elasticmq.sh install|start|stop|env: an SQS server.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

usage() { say "usage: elasticmq.sh install|start|stop|env"; exit 2; }
[[ $# -eq 1 ]] || usage
version=1.7.1
jars=$cache/elasticmq-$version
state=$run/elasticmq
mark=$state
port=''
give_up() { cannot "ElasticMQ $version" DLQ_TEST_ELASTICMQ_URL "$1"; }

install() {
  apt_or_path java default-jre-headless || give_up "Java could not be installed"
  [[ ! -e $jars/complete ]] || return 0
  locked "elasticmq-$version" install_locked
}
install_locked() {
  [[ ! -e $jars/complete ]] || return 0
  apt_or_path mvn maven || give_up "Maven could not be installed"
  say "downloading ElasticMQ $version by Maven"
  maven_jars "$jars" org.elasticmq elasticmq-server_2.13 "$version" || give_up "Maven could not download it (log: $jars.log)"
}

# The port is kept from one start to the next, unless another program has taken it since.
ports() {
  [[ ! -e $state/port ]] || port=$(<"$state/port")
  if [[ -z $port ]] || { [[ $1 == fresh ]] && listening "$port"; }; then
    port=$(claim_port elasticmq)
    echo "$port" >"$state/port"
  fi
}

configure() {
  mkdir -p "$state/log"
  cat >"$state/elasticmq.conf" <<END
include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = $port, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $port, sqs-limits = strict }
rest-stats.enabled = false
aws { region = "us-east-1", accountId = "000000000000" }
END
}

answers() {
  [[ $(curl --noproxy '*' -s -m 5 -o /dev/null -w '%{http_code}' -X POST -d '{}' \
    -H 'content-type: application/x-amz-json-1.0' -H 'x-amz-target: AmazonSQS.ListQueues' "http://127.0.0.1:$port/") == 200 ]]
}
# In the midst of an exec a process has no environment, so one look is not enough.
dead() { ! ours "$state/server.pid" "$mark" && sleep 0.2 && ! ours "$state/server.pid" "$mark"; }
ready_or_dead() { answers || dead; }

start() {
  apt_or_path curl curl || give_up "curl could not be installed"
  install
  mkdir -p "$state"
  locked start-elasticmq start_locked
}
start_locked() {
  if ours "$state/server.pid" "$mark"; then
    ports kept
    if wait_until 30 ready_or_dead && answers; then return; fi
  fi
  stop_locked
  ports fresh
  configure
  say "starting ElasticMQ $version"
  (
    # A test harness that waits for the end of its pipes must not wait for the server.
    exec </dev/null >"$state/log/console.log" 2>&1 9>&-
    echo "$BASHPID" >"$state/server.pid"
    DLQ_BROKER=$mark exec setsid java -Xmx512m -Xshare:auto -XX:+UseSerialGC \
      -Dconfig.file="$state/elasticmq.conf" -cp "$jars/lib/*" org.elasticmq.server.Main
  ) &
  # Until its first exec the child does not carry the mark.
  wait_until 10 ours "$state/server.pid" "$mark" || give_up "java did not start (log: $state/log/console.log)"
  if ! wait_until 60 ready_or_dead || ! answers; then
    tail -n 20 "$state/log/console.log" >&2
    stop_locked
    give_up "the server did not become ready (log: $state/log/console.log)"
  fi
}

stop() {
  [[ -d $state ]] || return 0
  locked start-elasticmq stop_locked
}
stop_locked() { stop_ours "$state/server.pid" "$mark" 10; }

env_lines() {
  [[ -e $state/port ]] || { say "ElasticMQ was never started"; exit 1; }
  ports kept
  printf 'export %s=%q\n' DLQ_TEST_ELASTICMQ_URL "http://127.0.0.1:$port"
}

case $1 in
  install) install ;;
  start) start ;;
  stop) stop ;;
  env) env_lines ;;
  *) usage ;;
esac
