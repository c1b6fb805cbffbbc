# Counts one file: sh count.sh FILE. Writes count.json, where `words` holds how often each word occurs.
set -eu
export LC_ALL=C
lines=$(wc -l < "$1")
bytes=$(wc -c < "$1")
sum=$(sha256sum < "$1")
tr -cs 'A-Za-z' '\n' < "$1" | tr 'A-Z' 'a-z' | sort | uniq -c |
  awk -v lines="$lines" -v bytes="$bytes" -v sum="${sum%% *}" '
    BEGIN { printf "{\"lines\":%d,\"bytes\":%d,\"sha256\":\"%s\",\"words\":{", lines, bytes, sum }
    $2 != "" { printf "%s\"%s\":%d", comma, $2, $1; comma = "," }
    END { print "}}" }' > count.json
