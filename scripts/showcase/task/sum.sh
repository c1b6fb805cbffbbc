# Adds up what the counting tasks found. The payload is {"files":[[folder,lines,bytes,[word,count,...]],...]}; writes
# sum.json with the numbers of each folder, and how often each word occurs in all files together.
set -eu
export LC_ALL=C
tr '[]' '\n\n' < "$DROVER_PAYLOAD_PATH" | tr -d '"' | awk -F, '
  NF == 4 && $4 == "" { folder = $1; files[folder]++; lines[folder] += $2; bytes[folder] += $3; next }
  NF % 2 == 0 && $1 != "" { for (i = 1; i < NF; i += 2) { words[folder] += $(i + 1); count[$i] += $(i + 1) } }
  END {
    printf "{\"folders\":{"
    for (name in files) {
      printf "%s\"%s\":{\"files\":%d,\"lines\":%d,", comma, name, files[name], lines[name]
      printf "\"words\":%d,\"bytes\":%d}", words[name], bytes[name]
      comma = ","
    }
    printf "},\"words\":{"
    comma = ""
    for (word in count) { printf "%s\"%s\":%d", comma, word, count[word]; comma = "," }
    print "}}"
  }' > sum.json
