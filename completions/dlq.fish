# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_dlq_global_optspecs
    string join \n o/output= q/quiet v/verbose color= log-format= timeout= h/help V/version
end

function __fish_dlq_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_dlq_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_dlq_using_subcommand
    set -l cmd (__fish_dlq_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c dlq -n "__fish_dlq_needs_command" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_needs_command" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_needs_command" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_needs_command" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_needs_command" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_needs_command" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_needs_command" -s V -l version -d 'Print version'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "inspect" -d 'Show messages without taking them'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "filter" -d 'Stream all messages for which a jq expression is true, like grep'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "sample" -d 'Take a uniform random sample in one pass'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "stats" -d 'Group messages by why they died, or by any expression'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "replay" -d 'Put messages back to work: where each came from, or to one place; remove it once that is confirmed'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "redrive" -d 'Put messages back to work: where each came from, or to one place; remove it once that is confirmed'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "copy" -d 'Copy messages as they are: export, import, duplicate'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "move" -d 'Copy messages as they are, and remove each once its copy is confirmed'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "purge" -d 'Remove messages, after writing them to an archive'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "resume" -d 'Finish a run that was cut off'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "history" -d 'What runs there were, and how they ended'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "depth" -d 'How many messages there are, how old, and how far that can be trusted'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "check" -d 'Whether queues are as they should be: a verdict for monitoring and CI'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "can-i" -d 'Whether a verb could be used on a queue, before a message is read'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "list" -d 'Find the dead-letter queues of a cluster, an account or a folder, by its topology'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "watch" -d 'Watch depth, age and growth, wait until a condition holds, run a command when one is crossed'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "config" -d 'Names of queues and clusters: what they mean, and whether they can be reached'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "completions" -d 'Print the completion script of a shell'
complete -c dlq -n "__fish_dlq_needs_command" -f -a "man" -d 'Print the manual page'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l print -d 'Print what this jq expression gives for each message instead of the message (with -o raw: strings without quotes)' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l delimiter -d 'With -o raw: what follows each payload (\\n, \\t, \\0 and \\\\ are understood)' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l newest -d 'With -n N: the newest N messages of a topic or stream instead of the oldest'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l include-resolved -d 'Also what is resolved on a log: replayed, moved or purged before'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s 0 -l null -d 'With -o raw: a NUL byte after each payload, for bodies that contain newlines'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand inspect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l print -d 'Print what this jq expression gives for each message instead of the message (with -o raw: strings without quotes)' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l delimiter -d 'With -o raw: what follows each payload (\\n, \\t, \\0 and \\\\ are understood)' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s e -l exit-status -d 'Exit 5 when no message matches'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l newest -d 'With -n N: the newest N messages of a topic or stream instead of the oldest'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l include-resolved -d 'Also what is resolved on a log: replayed, moved or purged before'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s 0 -l null -d 'With -o raw: a NUL byte after each payload, for bodies that contain newlines'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand filter" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l by -d 'Sample each group evenly; a group is what this jq expression gives' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l seed -d 'The same seed gives the same sample of the same queue' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l print -d 'Print what this jq expression gives for each message instead of the message (with -o raw: strings without quotes)' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l delimiter -d 'With -o raw: what follows each payload (\\n, \\t, \\0 and \\\\ are understood)' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l newest -d 'With -n N: the newest N messages of a topic or stream instead of the oldest'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l include-resolved -d 'Also what is resolved on a log: replayed, moved or purged before'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s 0 -l null -d 'With -o raw: a NUL byte after each payload, for bodies that contain newlines'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand sample" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l by -d 'Group by what this jq expression gives instead of by cause' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand stats" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand stats" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l to -d 'Send everything to this queue instead of each message\'s own origin' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l to-topic -d 'Send everything to this topic of the same cluster instead of each message\'s own origin' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l max-replays -d 'Leave messages that have been replayed so often already [default: 3]' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l unwrap -d 'Send what is inside such an envelope instead of the envelope; what is in none goes as it is' -r -f -a "sns\t''"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l order -d 'On Kafka: in the order of the original offsets, which retry topics scramble; all is read and sorted on disk first' -r -f -a "origin\t''"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l map -d 'Change each message: the jq expression gets it and gives it back, with another body, key, headers or properties' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l set-header -d 'Set a header (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l drop-header -d 'Take a header off (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l canary -d 'Replay so many first, spread over the causes, and go on only where they were consumed and none came back' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l canary-wait -d 'How long to wait for what becomes of them; where the broker tells, the default is what a failing message takes' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l watch-return -d 'After the replay wait so long, and tell how many came back and why (exit 3 where any did, or it cannot be told)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l confirm -d 'Answer the question of a protected queue: its name' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l run -d 'Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l plan-out -d 'Write the plan to this file, with the ids of the messages, and stop: nothing is changed' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l plan -d 'Act on exactly the messages of this plan' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l plan-max-age -d 'With --plan: refuse one that is older' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l to-X -d 'An option of the destination\'s connection' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l keep-death-headers -d 'Keep the headers in which frameworks noted the death'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l server-side -d 'Let the broker move everything as it is, where it can (the move task of SQS)'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l keep-partition -d 'On Kafka: to the partition a record had, instead of by its key'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l keep-timestamps -d 'On Kafka: with the time a record had, instead of now'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l edit -d 'Change the selected messages, 20 at most, in $VISUAL or $EDITOR'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l dry-run -d 'Show the plan and stop: nothing is changed'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -l no-journal -d 'Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l to -d 'Send everything to this queue instead of each message\'s own origin' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l to-topic -d 'Send everything to this topic of the same cluster instead of each message\'s own origin' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l max-replays -d 'Leave messages that have been replayed so often already [default: 3]' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l unwrap -d 'Send what is inside such an envelope instead of the envelope; what is in none goes as it is' -r -f -a "sns\t''"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l order -d 'On Kafka: in the order of the original offsets, which retry topics scramble; all is read and sorted on disk first' -r -f -a "origin\t''"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l map -d 'Change each message: the jq expression gets it and gives it back, with another body, key, headers or properties' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l set-header -d 'Set a header (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l drop-header -d 'Take a header off (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l canary -d 'Replay so many first, spread over the causes, and go on only where they were consumed and none came back' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l canary-wait -d 'How long to wait for what becomes of them; where the broker tells, the default is what a failing message takes' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l watch-return -d 'After the replay wait so long, and tell how many came back and why (exit 3 where any did, or it cannot be told)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l confirm -d 'Answer the question of a protected queue: its name' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l run -d 'Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l plan-out -d 'Write the plan to this file, with the ids of the messages, and stop: nothing is changed' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l plan -d 'Act on exactly the messages of this plan' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l plan-max-age -d 'With --plan: refuse one that is older' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l to-X -d 'An option of the destination\'s connection' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l keep-death-headers -d 'Keep the headers in which frameworks noted the death'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l server-side -d 'Let the broker move everything as it is, where it can (the move task of SQS)'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l keep-partition -d 'On Kafka: to the partition a record had, instead of by its key'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l keep-timestamps -d 'On Kafka: with the time a record had, instead of now'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l edit -d 'Change the selected messages, 20 at most, in $VISUAL or $EDITOR'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l dry-run -d 'Show the plan and stop: nothing is changed'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -l no-journal -d 'Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand redrive" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l confirm -d 'Answer the question of a protected queue: its name' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l run -d 'Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l plan-out -d 'Write the plan to this file, with the ids of the messages, and stop: nothing is changed' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l plan -d 'Act on exactly the messages of this plan' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l plan-max-age -d 'With --plan: refuse one that is older' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l to-X -d 'An option of the destination\'s connection' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l dry-run -d 'Show the plan and stop: nothing is changed'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -l no-journal -d 'Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand copy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand move" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand move" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand move" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand move" -l confirm -d 'Answer the question of a protected queue: its name' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l run -d 'Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand move" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l plan-out -d 'Write the plan to this file, with the ids of the messages, and stop: nothing is changed' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand move" -l plan -d 'Act on exactly the messages of this plan' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand move" -l plan-max-age -d 'With --plan: refuse one that is older' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l to-X -d 'An option of the destination\'s connection' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand move" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand move" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand move" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand move" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand move" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand move" -l dry-run -d 'Show the plan and stop: nothing is changed'
complete -c dlq -n "__fish_dlq_using_subcommand move" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand move" -l no-journal -d 'Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again'
complete -c dlq -n "__fish_dlq_using_subcommand move" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand move" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand move" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l backup -d 'Where to write the messages first; the default is a new file in this folder' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s f -l filter -d 'Only messages for which this jq expression is true' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l filter-file -d 'The same, read from a file' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l arg -d 'Set $NAME to a string in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l argjson -d 'Set $NAME to a JSON value in every expression' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l filter-timeout -d 'Longest an expression may take for one message' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l since -d 'Only messages that died (or, where that is not known, were created) at or after this time: 2h, 14:30, RFC 3339' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l until -d 'Only messages from before this time' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l id -d 'Only the message with this id (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l ids-from -d 'Only messages whose ids are in this file, one a line; - is standard input' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l cause -d 'Only messages whose death.cause, or death.reason, begins with this' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s n -l limit -d 'At most so many messages selected' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l scan-limit -d 'At most so many messages read' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l confirm -d 'Answer the question of a protected queue: its name' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l run -d 'Call the run NAME: begun if there is none of that name, taken up again if it was cut off, nothing if it is done' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l plan-out -d 'Write the plan to this file, with the ids of the messages, and stop: nothing is changed' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l plan -d 'Act on exactly the messages of this plan' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l plan-max-age -d 'With --plan: refuse one that is older' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l all -d 'Every message of the queue'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l no-backup -d 'Write no archive: what is removed is gone'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l strict -d 'Exit 3 when an expression failed on any message'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l skip-bad-lines -d 'Count archive lines that cannot be read, and go on'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l dry-run -d 'Show the plan and stop: nothing is changed'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -l no-journal -d 'Keep no record of the run: after a crash nobody can say what was sent, and it cannot be taken up again'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand purge" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l rate -d 'At most so many messages: 500, 500/s, 500/m, 10000/h' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l concurrency -d 'At most so many messages sent and not yet confirmed' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l max-failures -d 'Stop when more messages than this have failed (exit 6)' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l hold-while-backlog -d 'Send nothing while more messages than this wait at the destination (of a Kafka group: its lag)' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l failed-to -d 'Write what fails to this archive, as it was; it stays in the queue all the same' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l on-failure -d 'What a failed message does to those behind it; the default is hold-lane where order has a meaning, else skip' -r -f -a "hold-lane\t'Those of the same lane wait'
skip\t'The others go on'
stop\t'Everything stops'"
complete -c dlq -n "__fish_dlq_using_subcommand resume" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand resume" -l abandon -d 'Give the run up instead: nothing is sent, and the queue can be worked on by others'
complete -c dlq -n "__fish_dlq_using_subcommand resume" -s y -l yes -d 'Answer the plan\'s question with yes; nothing else'
complete -c dlq -n "__fish_dlq_using_subcommand resume" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand resume" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand resume" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand history" -s n -l limit -d 'At most so many runs, the latest first' -r
complete -c dlq -n "__fish_dlq_using_subcommand history" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand history" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand history" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand history" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand history" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand history" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l group -d 'How far this consumer group has read, partition by partition' -r
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l all-named -d 'Every queue that has a name in the configuration'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l age -d 'How old the oldest message is too, where that takes a look (on SQS it costs a receive)'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -l by-partition -d 'Each partition of a topic too'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand depth" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand check" -l warn -d 'WARNING at so many messages or more' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l crit -d 'CRITICAL at so many messages or more' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l max-age -d 'CRITICAL where the oldest message is of this age or older: 90m, 2h, 3d' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l max-growth -d 'CRITICAL where so many more messages came in that time, against what earlier runs kept: 100/h, 20/15m' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l over -d 'Measure growth over this time, now, instead of against earlier runs' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l for -d 'With --expect-empty: ask again and again for so long, for brokers that count late' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l since -d 'Count only messages that died at or after this time: 2h, 14:30, RFC 3339. This looks at messages' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand check" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand check" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand check" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand check" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand check" -l all-named -d 'Every queue that has a name in the configuration'
complete -c dlq -n "__fish_dlq_using_subcommand check" -l expect-empty -d 'CRITICAL where there is any message, held by a consumer or delayed ones included'
complete -c dlq -n "__fish_dlq_using_subcommand check" -l causes -d 'Name the commonest causes in queues that are not OK, and a message of each. This looks at messages'
complete -c dlq -n "__fish_dlq_using_subcommand check" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand check" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l to -d 'Where messages would go, for replay, copy and move' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l to-X -d 'An option of the destination\'s connection' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand can-i" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand list" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand list" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand list" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand list" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand list" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand list" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand list" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand list" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand list" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l interval -d 'Time between two readings (2s; 10s where counts are estimates, as on SQS, where each reading is a request)' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l until -d 'End when this holds for all queues: depth<10, age<=5m' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l for -d 'It must have held for so long; where counts are estimates that lag behind, 30s unless said otherwise' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l when -d 'What --exec is told of, for each queue: depth>=1000, age>1h' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l exec -d 'Run this when --when is met, and again when it no longer is, with {event, queue, depth, oldest, sample, ...} on its standard input; words are split as by a shell, without one' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l exec-timeout -d 'Longest such a command may run before it is killed' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s X -d 'An option of the queue\'s connection, as ?NAME=VALUE on its address would be' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s F -d 'Read such options from a file, one NAME=VALUE a line' -r -F
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l partitions -d 'Only these partitions of a topic: 3, 0-3 or 0-3,7' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand watch" -l until-empty -d 'End when nothing waits in any of the queues, nor is held or delayed'
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand watch" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -f -a "show" -d 'Show what each name means, and where each value comes from; secrets are hidden'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -f -a "check" -d 'Try to connect to each named queue, and to where its replays go'
complete -c dlq -n "__fish_dlq_using_subcommand config; and not __fish_seen_subcommand_from show check names" -f -a "names" -d 'Print the names, for completion scripts'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -l accept -d 'Accept a danger by the name that a refusal printed (repeatable)' -r
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -l clusters -d 'Those of clusters alone, as `list` takes them'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand config; and __fish_seen_subcommand_from names" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand completions" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand completions" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand completions" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand completions" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand completions" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand completions" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c dlq -n "__fish_dlq_using_subcommand man" -s o -l output -d 'How to print messages and reports' -r -f -a "auto\t'A table on a terminal; in a pipe messages are jsonl and summaries stay text'
table\t'Aligned columns, or text'
json\t'JSON to read: one array, indented'
jsonl\t'One JSON object a line'
archive\t'Exact archive lines, which `file:` reads back'
raw\t'The payload bytes alone, a newline after each'"
complete -c dlq -n "__fish_dlq_using_subcommand man" -l color -d 'When to colour' -r -f -a "auto\t'On a terminal, unless NO_COLOR or TERM=dumb says otherwise'
always\t'Also in a pipe'
never\t'Not at all'"
complete -c dlq -n "__fish_dlq_using_subcommand man" -l log-format -d 'How to write plan, progress, notices and errors on standard error' -r -f -a "text\t'Sentences for people'
json\t'One JSON object a line, with time, run and event'"
complete -c dlq -n "__fish_dlq_using_subcommand man" -l timeout -d 'Longest wait for any one answer of a broker (10s, 2m; 30s where nothing is said)' -r
complete -c dlq -n "__fish_dlq_using_subcommand man" -s q -l quiet -d 'Print nothing but data and errors'
complete -c dlq -n "__fish_dlq_using_subcommand man" -s v -l verbose -d 'Say more'
complete -c dlq -n "__fish_dlq_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'

complete -c dlq -n "__fish_seen_subcommand_from inspect filter sample stats replay redrive copy move purge depth check can-i watch" -a "(dlq config names 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from list" -a "(dlq config names --clusters 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from config; and __fish_seen_subcommand_from show check" -a "(dlq config names 2>/dev/null)"
complete -c dlq -n "__fish_seen_subcommand_from replay redrive can-i" -l to -r -a "(dlq config names 2>/dev/null)"
