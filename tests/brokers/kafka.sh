#!/usr/bin/env bash
# kafka.sh install|start|stop|kill|env|log|share
# One node of Apache Kafka, broker and controller in one, from Maven Central.
# DLQ_KAFKA_JOIN=FOLDER: a second node, a broker only, of the cluster whose run folder this is.
# DLQ_KAFKA_SETTINGS: more lines for the server's settings.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
# shellcheck source=lib.sh
. "$here/lib.sh"

usage() { say "usage: kafka.sh install|start|stop|kill|env|log|share TOPIC DLQ GROUP [copy]"; exit 2; }
[[ $# -ge 1 ]] || usage
command=$1
version=${DLQ_KAFKA_VERSION:-4.4.0}
root=$cache/kafka-$version
state=$run/kafka
mark=$state
plain='' tls='' sasl='' controller=''
give_up() { cannot "Kafka $version" DLQ_TEST_KAFKA_URL "$1"; }

need_java() {
  apt_need java openjdk-17-jre-headless || give_up "Java 17 is missing and could not be installed"
}

installed() { [[ -e $root/complete ]]; }

install() {
  ! installed || return 0
  locked "kafka-$version" install_locked
}

install_locked() {
  ! installed || return 0
  need_java
  apt_need mvn maven || give_up "Maven is missing and could not be installed"
  rm -rf "$root" "$root.tmp"
  mkdir -p "$root.tmp"
  cat >"$root.tmp/pom.xml" <<END
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>dlq</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>1.7.36</version>
    </dependency>
  </dependencies>
</project>
END
  say "installing Kafka $version from Maven Central"
  (cd "$root.tmp" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib) >"$cache/kafka-$version.log" 2>&1 || {
    tail -n 5 "$cache/kafka-$version.log" >&2
    give_up "Maven could not fetch it (full log: $cache/kafka-$version.log)"
  }
  touch "$root.tmp/complete"
  mv "$root.tmp" "$root"
}

# Ports are kept from one start to the next, unless another program has taken one since.
ports() {
  local name
  # shellcheck disable=SC1091
  [[ ! -e $state/ports ]] || . "$state/ports"
  for name in plain tls sasl controller; do
    if [[ -z ${!name:-} ]] || { [[ $1 == fresh ]] && listening "${!name}"; }; then
      printf -v "$name" %s "$(claim_port "kafka $name")"
    fi
  done
  for name in plain tls sasl controller; do echo "$name=${!name}"; done >"$state/ports.tmp"
  mv "$state/ports.tmp" "$state/ports"
}

# A CA and a certificate for 127.0.0.1, and another CA that signed nothing here.
certificates() {
  [[ ! -e $state/tls/server.pem ]] || return 0
  apt_need openssl openssl || give_up "openssl could not be installed"
  local tls=$state/tls ca
  rm -rf "$tls"
  mkdir -p "$tls"
  for ca in ca other-ca; do
    openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tls/$ca-key.pem" -days 3650 -subj "/CN=dlq-ops test $ca" \
      -out "$tls/$ca.pem" 2>/dev/null
  done
  openssl req -new -newkey rsa:2048 -nodes -keyout "$tls/server-key.pem" -subj "/CN=localhost" -out "$tls/server.csr" \
    2>/dev/null
  openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca-key.pem" -set_serial 1 -days 3650 \
    -extfile <(echo subjectAltName=DNS:localhost,IP:127.0.0.1) -out "$tls/server-cert.pem" 2>/dev/null
  openssl pkcs8 -topk8 -nocrypt -in "$tls/server-key.pem" -out "$tls/server.tmp"
  cat "$tls/server-cert.pem" >>"$tls/server.tmp"
  mv "$tls/server.tmp" "$tls/server.pem"
}

# The key tokens are signed with, and its public half as the broker reads it.
tokens() {
  [[ ! -e $state/oauth/jwks.json ]] || return 0
  local oauth=$state/oauth n
  rm -rf "$oauth"
  mkdir -p "$oauth"
  openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$oauth/key.pem" 2>/dev/null
  n=$(openssl rsa -in "$oauth/key.pem" -noout -modulus | sed 's/.*=//' | sed 's/../\\x&/g')
  n=$(printf "%b" "$n" | base64 -w0 | tr '+/' '-_' | tr -d =)
  printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"test","e":"AQAB","n":"%s"}]}' "$n" >"$oauth/jwks.tmp"
  mv "$oauth/jwks.tmp" "$oauth/jwks.json"
}

configure() {
  local roles=broker,controller node=1 own=",CONTROLLER://127.0.0.1:$controller" quorum=$controller
  if [[ -n ${DLQ_KAFKA_JOIN:-} ]]; then
    roles=broker node=2 own=''
    quorum=$(sed -n 's/^controller=//p' "$DLQ_KAFKA_JOIN/kafka/ports")
  fi
  mkdir -p "$state/data" "$state/log"
  cat >"$state/server.properties" <<END
process.roles=$roles
node.id=$node
controller.quorum.bootstrap.servers=127.0.0.1:$quorum
listeners=PLAINTEXT://127.0.0.1:$plain,SSL://127.0.0.1:$tls,SASL_PLAINTEXT://127.0.0.1:$sasl$own
advertised.listeners=PLAINTEXT://127.0.0.1:$plain,SSL://127.0.0.1:$tls,SASL_PLAINTEXT://127.0.0.1:$sasl
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
ssl.keystore.type=PEM
ssl.keystore.location=$state/tls/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
listener.name.sasl_plaintext.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_me="secret" user_reader="secret";
listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required;
listener.name.sasl_plaintext.oauthbearer.sasl.server.callback.handler.class=org.apache.kafka.common.security.oauthbearer.OAuthBearerValidatorCallbackHandler
listener.name.sasl_plaintext.oauthbearer.connections.max.reauth.ms=3600000
sasl.oauthbearer.jwks.endpoint.url=file://$state/oauth/jwks.json
sasl.oauthbearer.expected.audience=kafka
sasl.oauthbearer.expected.issuer=https://issuer.test
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
allow.everyone.if.no.acl.found=true
super.users=User:ANONYMOUS
log.dirs=$state/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
errors.deadletterqueue.auto.create.topics.enable=false
log.cleaner.backoff.ms=200
log.initial.task.delay.ms=500
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
${DLQ_KAFKA_SETTINGS:-}
END
}

# An ApiVersions request, which a broker answers once it takes requests at all.
asked() {
  exec 3<>"/dev/tcp/127.0.0.1/$plain" || return 1
  printf '\0\0\0\012\0\022\0\0\0\0\0\001\377\377' >&3
  [[ $(timeout 5 head -c 10 <&3 | od -An -tx1 -j4 -N6 | tr -d ' \n') == 000000010000 ]]
}
answers() { (asked) 2>/dev/null; }
dead() { ! ours "$state/server.pid" "$mark" && sleep 0.2 && ! ours "$state/server.pid" "$mark"; }
ready_or_dead() { answers || dead; }

start() {
  install
  need_java
  mkdir -p "$state"
  locked start-kafka start_locked
}

start_locked() {
  if ours "$state/server.pid" "$mark"; then
    ports kept
    if wait_until 60 ready_or_dead && answers; then return; fi
  fi
  stop_locked
  ports fresh
  certificates
  tokens
  configure
  local logging=-Dorg.slf4j.simpleLogger.defaultLogLevel=warn
  if [[ ! -e $state/data/meta.properties ]]; then
    local format
    if [[ -n ${DLQ_KAFKA_JOIN:-} ]]; then
      format=(--no-initial-controllers --cluster-id="$(sed -n 's/^cluster.id=//p' "$DLQ_KAFKA_JOIN/kafka/data/meta.properties")")
    else
      format=(--standalone --cluster-id="$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)"
        -S 'SCRAM-SHA-256=[name=me,password=secret]' -S 'SCRAM-SHA-512=[name=me,password=secret]')
    fi
    java "$logging" -cp "$root/lib/*" kafka.tools.StorageTool format "${format[@]}" \
      -c "$state/server.properties" >"$state/log/format.log" 2>&1 || {
      tail -n 5 "$state/log/format.log" >&2
      give_up "its storage could not be formatted (log: $state/log/format.log)"
    }
  fi
  say "starting Kafka $version"
  : >"$state/log/console.log"
  (
    # A test harness that waits for the end of its pipes must not wait for the server.
    exec </dev/null >>"$state/log/console.log" 2>&1 9>&-
    echo "$BASHPID" >"$state/server.pid"
    DLQ_BROKER=$mark exec setsid java "-Xmx${DLQ_KAFKA_HEAP:-512m}" -XX:+UseSerialGC "$logging" \
      "-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls=file://$state/oauth/jwks.json" -cp "$root/lib/*" kafka.Kafka "$state/server.properties"
  ) &
  wait_until 10 ours "$state/server.pid" "$mark" || give_up "it did not start (log: $state/log/console.log)"
  # One that has just begun to answer may still fail to once.
  if ! wait_until 120 ready_or_dead || ! wait_until 30 answers; then
    tail -n 20 "$state/log/console.log" >&2
    stop_locked
    give_up "the node did not become ready (log: $state/log/console.log)"
  fi
}

stop() {
  [[ -d $state ]] || return 0
  locked start-kafka stop_locked
}
stop_locked() { stop_ours "$state/server.pid" "$mark" 30; }

env_lines() {
  [[ -e $state/ports ]] || { say "Kafka was never started"; exit 1; }
  ports kept
  put() { printf 'export %s=%q\n' "$1" "$2"; }
  put DLQ_TEST_KAFKA_URL "kafka://127.0.0.1:$plain"
  put DLQ_TEST_KAFKA_TLS_URL "kafka://127.0.0.1:$tls"
  put DLQ_TEST_KAFKA_SASL_URL "kafka://127.0.0.1:$sasl"
  put DLQ_TEST_KAFKA_CA "$state/tls/ca.pem"
  put DLQ_TEST_KAFKA_OTHER_CA "$state/tls/other-ca.pem"
  put DLQ_TEST_KAFKA_TOKEN_KEY "$state/oauth/key.pem"
  {
    echo '#!/usr/bin/env bash'
    printf 'DLQ_BROKERS_DIR=%q DLQ_BROKERS_RUN=%q exec %q "$@"\n' "$cache" "$run" "$here/kafka.sh"
  } >"$state/control"
  chmod +x "$state/control"
  put DLQ_TEST_KAFKA_CONTROL "$state/control"
}

# A share group that rejects what it is given: see Share.java.
share() {
  [[ $# -ge 3 ]] || usage
  need_java
  apt_need javac openjdk-17-jdk-headless || give_up "a Java compiler is missing and could not be installed"
  ports kept
  exec java -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$root/lib/*" "$here/Share.java" "127.0.0.1:$plain" "$@"
}

case $command in
  install) install ;;
  start) start ;;
  stop) stop ;;
  kill) kill_ours "$state/server.pid" "$mark" ;;
  env) env_lines ;;
  log) cat "$state/log/console.log" ;;
  share)
    shift
    share "$@"
    ;;
  *) usage ;;
esac
