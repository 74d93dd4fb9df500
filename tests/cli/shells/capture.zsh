# capture.zsh FOLDER LINE: what zsh offers behind LINE, one a line, with the functions in FOLDER. A terminal is what completion
# needs, so a zsh is run on one, whose `compadd` writes down what it is given that fits.
zmodload zsh/zpty
zpty inner zsh -f -i
() {
  zpty -w inner "source $1"
  repeat 20; do
    zpty -r inner line
    [[ $line == *ready* ]] && return
  done
  exit 2
} =(<<<"
PROMPT=
fpath=(${(q)1} \$fpath)
autoload -Uz compinit && compinit -u -D
bindkey '^M' undefined
bindkey '^J' undefined
bindkey '^I' complete-word
mark() { print -r -- MARK }
compprefuncs=(mark)
comppostfuncs=(mark exit)
compadd() {
  if [[ \${@[1,(i)(-|--)]} != *-(O|A|D)\ * ]]; then
    typeset -a fitting
    builtin compadd -A fitting \"\$@\"
    for each in \$fitting; do print -r -- \"OFFERED \$each\"; done
  fi
  builtin compadd \"\$@\"
}
print ready")
zpty -w -n inner "$2"$'\t'
while zpty -r inner line; do print -rn -- $line; done | tr -d '\r' | sed -n 's/^.*OFFERED //p'
