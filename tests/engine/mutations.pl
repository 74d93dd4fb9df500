#!/usr/bin/env perl
# Takes each safety rule of the engine and the journal out in turn and shows what notices: tests/engine/mutations.pl [WORD...]
# Patches src/ in place, one rule at a time, and puts it back; run it in a clean work tree.
use strict;
use warnings;
$| = 1;

my @rules = (
    ['a confirmed fingerprint proves nothing: it is sent again', 'src/journal/claims.rs',
        '(true, false) => Claim::NewNumber,', '(true, false) => Claim::Arrived(row.sequence),'],
    ['a confirmed fingerprint goes under a new id', 'src/journal/claims.rs',
        '(true, false) => Claim::NewNumber,', '(true, false) => Claim::SameNumber(row.sequence),'],
    ['what was never confirmed keeps its id', 'src/journal/claims.rs',
        '(false, _) => Claim::SameNumber(row.sequence),', '(false, _) => Claim::NewNumber,'],
    ['an exact identity that is confirmed is not sent again', 'src/journal/claims.rs',
        '(true, true) => Claim::Arrived(row.sequence),', '(true, true) => Claim::SameNumber(row.sequence),'],
    ['nothing is claimed for what is delivered for the first time', 'src/journal/claims.rs',
        'if !self.any() || (!exact && again == Some(false)) {', 'if !self.any() {'],
    ['what arrived and was not removed is not sent again in the same attempt', 'src/replay/books.rs',
        'books.claims.arrived(line.row.clone());', '{}'],
    ['numbers of an attempt begin behind those of the one before', 'src/replay/prepare.rs',
        'let number = self.first + read;', 'let number = read;'],
    ['a message is written down before it is sent', 'src/replay/publish_then_settle.rs',
        'match written.durable().await {', 'match { _ = written.durable(); Ok::<(), Error>(()) } {'],
    ['its arrival is written down before it is removed', 'src/replay/publish_then_settle.rs',
        'if let Err(e) = books.write(entries).await {', 'books.note(entries); if let Err(e) = Ok::<(), Error>(()) {'],
    ['nothing is removed whose arrival could not be written down', 'src/replay/publish_then_settle.rs',
        '*outcome = Outcome::NotRemoved(e.again());', 'let _ = &e;'],
    ['what is not confirmed is not removed', 'src/replay/publish_then_settle.rs',
        'let act = if matches!(outcome, Outcome::Moved(_)) { Act::Done }',
        'let act = if matches!(outcome, Outcome::Moved(_) | Outcome::Indeterminate(_)) { Act::Done }'],
    ['what has arrived stays written down until it is removed', 'src/replay/books.rs',
        'sent.then(|| Entry { arrived, ..self.entry(|line| line.open && !line.arrived) })',
        'sent.then(|| Entry { arrived, ..self.entry(|_| false) })'],
    ['what may have been sent before is not forgotten when it fails now', 'src/replay/books.rs',
        'line.open = line.again || matches!', 'line.open = matches!'],
    ['a new entry takes the place of the old one', 'src/replay/books.rs',
        'let entry = Entry { replaces: replaces.collect(), ..', 'drop(replaces); let entry = Entry { ..'],
    ['what is sent again is named', 'src/replay/engine.rs',
        'in metas.iter().filter(|m| m.again) {', 'in metas.iter().filter(|m| m.again && m.size > 1 << 30) {'],
    ['a run is not done while what it held is hidden', 'src/replay/engine.rs',
        'tally.unclaimed = hidden.max(books.claims().unclaimed().len() as u64);', 'let _ = hidden;'],
    ['what came back during the run is left alone', 'src/replay/prepare.rs',
        'if before.is_some_and(|m| m.run() == run.as_str()) {', 'if before.is_some_and(|m| m.run() == run.as_str() && m.count > 99) {'],
);

sub slurp { my ($path) = @_; local $/; open my $in, '<', $path or die "$path: $!\n"; return scalar <$in> }
sub spill { my ($path, $text) = @_; open my $out, '>', $path or die "$path: $!\n"; print {$out} $text; close $out or die "$path: $!\n" }

die "src/ is not as it was committed\n" if `git status --porcelain src` ne '';
my %before;
sub restore { spill($_, $before{$_}) for keys %before; %before = () }
$SIG{INT} = $SIG{TERM} = sub { restore(); exit 130 };

my $survived = 0;
for my $rule (@rules) {
    my ($what, $path, $old, $new) = @$rule;
    next if @ARGV && !grep { index($what, $_) >= 0 } @ARGV;
    my $text = slurp($path);
    my $times = () = $text =~ /\Q$old\E/g;
    die "$path has $times times: $old\n" if $times != 1;
    $before{$path} = $text;
    (my $changed = $text) =~ s/\Q$old\E/$new/;
    spill($path, $changed);
    my $said = `cargo test --test engine_model 2>&1`;
    my $passed = $? == 0;
    restore();
    die "$what: does not compile\n$said" if $said =~ /^error(\[|: could not compile)/m;
    my ($noticed) = $said =~ /^\s+"(.*)",$/m;
    $survived += $passed;
    printf "%-75s %s\n", $what, $passed ? 'NOT NOTICED' : ($noticed // 'a test failed');
}
exit($survived ? 1 : 0);
