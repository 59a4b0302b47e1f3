# Completion of the command hawser in bash. It asks the tool itself what it takes, so it knows no option by heart.

# What stands in one part of a help: the first words of its entries.
_hawser_entries() {
  local part=$1
  shift
  "$@" --help 2>/dev/null | awk -v part="$part:" '
    /^[A-Z][a-z]*:$/ { inside = $0 == part; next }
    /^$/ { inside = 0 }
    inside && /^  [^ ]/ { print $1 }'
}

# The values of an option that takes one of a few, as the tool names them when it is given none of them.
_hawser_choices() {
  "$@" '' 2>&1 | sed -n 's/^.* is none of \([^(]*\) (.*$/\1/p' | tr -d ','
}

_hawser() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} command=("${COMP_WORDS[0]}")
  local commands choices i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    commands=$(_hawser_entries Subcommands "${command[@]}")
    [ -n "$commands" ] || break
    if grep -qxF -e "${COMP_WORDS[i]}" <<<"$commands"; then
      command+=("${COMP_WORDS[i]}")
    fi
  done
  if [[ $word == -* ]]; then
    choices=$(_hawser_entries Options "${command[@]}" | tr ',' '\n')
  elif [[ $before == --driver || $before == --deflate ]]; then
    choices=$(_hawser_choices "${command[@]}" "$before")
  elif [[ $before == --extension || $before == --plugin || $before == info || $before == test ]]; then
    choices=$("${COMP_WORDS[0]}" ext list 2>/dev/null | awk '/^[^ ]/ { print $1 }')
  else
    choices=$(_hawser_entries Subcommands "${command[@]}")
  fi
  mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$word")
}

# Nothing fits: names of files, for plug-ins, certificates and sockets.
complete -o default -F _hawser hawser
