#!/usr/bin/env bash
# elasticmq.sh install|start|stop|env: an SQS server.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

name=ElasticMQ version=1.7.1 variable=DLQ_TEST_ELASTICMQ_URL
# shellcheck source=one_port.sh
. "$here/one_port.sh"
jars=$cache/elasticmq-$version

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

configure() {
  cat >"$state/elasticmq.conf" <<END
include classpath("application.conf")
node-address { protocol = http, host = "127.0.0.1", port = $port, context-path = "" }
rest-sqs { enabled = true, bind-hostname = "127.0.0.1", bind-port = $port, sqs-limits = strict }
rest-stats.enabled = false
aws { region = "us-east-1", accountId = "000000000000" }
END
}

launch() {
  exec setsid java -Xmx512m -Xshare:auto -XX:+UseSerialGC \
    -Dconfig.file="$state/elasticmq.conf" -cp "$jars/lib/*" org.elasticmq.server.Main
}

answers() {
  [[ $(curl --noproxy '*' -s -m 5 -o /dev/null -w '%{http_code}' -X POST -d '{}' \
    -H 'content-type: application/x-amz-json-1.0' -H 'x-amz-target: AmazonSQS.ListQueues' "http://127.0.0.1:$port/") == 200 ]]
}

main "$@"
