import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** BOOTSTRAP TOPIC DLQ GROUP [copy]: a share group that rejects all there is in TOPIC, so that the broker writes DLQ. */
public class Share {
  public static void main(String[] args) throws Exception {
    String topic = args[1], dlq = args[2], group = args[3];
    boolean copy = args.length > 4 && args[4].equals("copy");
    Properties common = new Properties();
    common.put("bootstrap.servers", args[0]);
    try (Admin admin = Admin.create(common)) {
      List<AlterConfigOp> set = new ArrayList<>();
      set.add(op("errors.deadletterqueue.topic.name", dlq));
      set.add(op("errors.deadletterqueue.copy.record.enable", String.valueOf(copy)));
      set.add(op("share.auto.offset.reset", "earliest"));
      admin.incrementalAlterConfigs(Map.of(new ConfigResource(ConfigResource.Type.GROUP, group), set)).all().get();
    }
    Properties own = new Properties();
    own.putAll(common);
    own.put("group.id", group);
    own.put("share.acknowledgement.mode", "explicit");
    int rejected = 0;
    long quiet = System.currentTimeMillis() + 30_000;
    try (KafkaShareConsumer<byte[], byte[]> consumer =
        new KafkaShareConsumer<>(own, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      consumer.subscribe(List.of(topic));
      while (System.currentTimeMillis() < quiet) {
        for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofMillis(500))) {
          consumer.acknowledge(record, AcknowledgeType.REJECT);
          rejected++;
          quiet = System.currentTimeMillis() + 2_000;
        }
        consumer.commitSync();
      }
    }
    System.out.println("rejected " + rejected);
  }

  private static AlterConfigOp op(String name, String value) {
    return new AlterConfigOp(new ConfigEntry(name, value), AlterConfigOp.OpType.SET);
  }
}
