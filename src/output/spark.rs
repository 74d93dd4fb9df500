//! A row of small bars: how a number went.

const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const PLAIN: [char; 8] = ['_', '.', ':', '-', '=', '+', '*', '#'];

/// The last `width` values, the newest right, each as high as it stands between the lowest and the highest of them. A value that
/// is not known leaves a gap.
pub fn line(values: impl DoubleEndedIterator<Item = Option<u64>>, width: usize, utf8: bool) -> String {
    let mut shown: Vec<Option<u64>> = values.rev().take(width).collect();
    shown.reverse();
    let (low, high) = shown.iter().flatten().fold((u64::MAX, 0), |(low, high), v| (low.min(*v), high.max(*v)));
    let bars = if utf8 { &BARS } else { &PLAIN };
    let bar = |v: u64| match high.saturating_sub(low) {
        // A level line: on the ground where there is nothing.
        0 => bars[if v == 0 { 0 } else { 3 }],
        range => {
            let at = u128::from(v - low) * 7 / u128::from(range);
            bars[usize::try_from(at).unwrap_or(7).min(7)]
        }
    };
    shown.into_iter().map(|v| v.map_or(' ', bar)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_stand_between_the_lowest_and_the_highest() {
        let line = |values: &[u64], width| line(values.iter().map(|v| Some(*v)), width, true);
        assert_eq!(line(&[0, 1, 2, 3, 4, 5, 6, 7], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(line(&[100, 107, 100], 8), "▁█▁");
        assert_eq!(line(&[9, 9, 1, 3], 2), "▁█");
        assert_eq!(line(&[0, 0], 8), "▁▁");
        assert_eq!(line(&[5, 5], 8), "▄▄");
        assert_eq!(line(&[0, u64::MAX], 8), "▁█");
        assert_eq!(line(&[], 8), "");
    }

    #[test]
    fn a_gap_where_nothing_is_known_and_ascii_where_it_must_be() {
        assert_eq!(line([Some(0), None, Some(7)].into_iter(), 8, false), "_ #");
    }
}
