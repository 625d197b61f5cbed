# SPDX-License-Identifier: BSL-1.0
# Completion of weft-trace for bash: commands, their options, files, and processes. The names are
# asked of the program, so they are those of the one that is installed.
_weft_trace() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local command=${COMP_WORDS[1]} i words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    words=$("${COMP_WORDS[0]}" --help 2>/dev/null |
      sed -nE '/^Subcommands:/,$ s/^  ([a-z-]+) .*/\1/p')
    mapfile -t COMPREPLY < <(compgen -W "$words --help --version" -- "$word")
    return
  fi
  for ((i = 2; i < COMP_CWORD; ++i)); do
    if [ "${COMP_WORDS[i]}" = -- ]; then  # a program and its own arguments
      mapfile -t COMPREPLY < <(compgen -A command -A file -- "$word")
      return
    fi
  done
  case $before in
    --pid | top | dump | ask)
      mapfile -t COMPREPLY < <(compgen -W "$(ps -o pid= -u "$UID" 2>/dev/null)" -- "$word")
      return
      ;;
  esac
  if [[ $word == -* ]]; then
    words=$("${COMP_WORDS[0]}" "$command" --help 2>/dev/null |
      grep -oE -- '--[a-z][a-z-]*' | sort -u)
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
  else
    mapfile -t COMPREPLY < <(compgen -A file -- "$word")
  fi
}
complete -o filenames -F _weft_trace weft-trace
