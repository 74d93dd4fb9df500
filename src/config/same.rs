//! Whether two canonical spellings may be of one queue, where an address leaves out what another says.

/// Rather says yes: it decides whether a protected queue is asked for by name.
pub fn same(a: &str, b: &str) -> bool {
    let parts = |s: &str| s.split(['/', ' ']).map(str::to_owned).collect::<Vec<_>>();
    let (a, b) = (parts(a), parts(b));
    a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| part(a, b))
}

/// Equal; or one of them is not said; or two lists of hosts have one in common.
fn part(a: &str, b: &str) -> bool {
    a == b
        || a == "-"
        || b == "-"
        || (a.contains(',') || b.contains(',')) && a.split(',').any(|x| b.split(',').any(|y| x == y))
}

#[cfg(test)]
mod tests {
    use super::same;

    #[test]
    fn what_is_left_out_may_be_the_same() {
        for (a, b, yes) in [
            ("amqp://h:5672/%2F/q", "amqp://h:5672/%2F/q", true),
            ("amqp://h:5672/%2F/q", "amqp://h:5672/v/q", false),
            ("kafka://a:9092,b:9092/t", "kafka://b:9092/t", true),
            ("kafka://a:9092,b:9092/t", "kafka://c:9092/t", false),
            ("sqs - eu-west-1 - q", "sqs - - 123456789012 q", true),
            ("sqs - eu-west-1 - q", "sqs - eu-west-2 - q", false),
            ("sqs - eu-west-1 - q", "sqs - eu-west-1 - p", false),
            ("file:/a/b", "file:/a/b/c", false),
        ] {
            assert_eq!(same(a, b), yes, "{a} {b}");
            assert_eq!(same(b, a), yes, "{b} {a}");
        }
    }
}
