#!/usr/bin/env bash
# A peer in the terminal: joins a room, prints what happens there, answers pings, sends what is typed, leaves at Ctrl-C.
#
#   ./peer.sh [--poll] URL ROOM [PEER]
#
# "bob hello" goes to bob, "* hello" to everybody. Reads the stream, or with --poll one long-poll after the other.
# Needs bash, curl and jq.
set -euo pipefail

door=stream
[ "${1-}" != --poll ] || { door=poll && shift; }
[ $# -ge 2 ] || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
url=$1 room=$2 me=${3-}

# ask METHOD URL [OPTION...]: the answer of one request, which may be repeated. Headers come by a file descriptor,
# since everybody on this machine can read the command lines.
token=
ask() {
  curl -sS --max-time 40 --retry 6 --retry-connrefused -X "$1" "$2" -H @<(headers) "${@:3}"
}
headers() {
  [ -z "$token" ] || printf 'Authorization: Bearer %s\n' "$token"
  [ -z "${cursor-}" ] || printf 'Last-Event-ID: %s\n' "$cursor"
}

wish=$(jq -cn --arg peer "$me" --arg key "$RANDOM$RANDOM$RANDOM" '{key: $key, meta: {name: "shell"}} + if $peer == "" then {} else {peer: $peer} end')
joined=$(ask POST "$url/rooms/$room/peers" -d "$wish")
token=$(jq -r '.token // empty' <<<"$joined")
[ -n "$token" ] || { jq -r '.detail' <<<"$joined" >&2 && exit 1; }
cursor=$(jq -r .cursor <<<"$joined")
own=$url/rooms/$room/peers/$(jq -r .peer <<<"$joined")
jq -r '"joined as \(.peer) with \([.peers[].peer])"' <<<"$joined"

leave() {
  trap - EXIT
  [ -z "${typing-}" ] || kill "$typing" 2>/dev/null || true
  curl -sS --max-time 5 -X DELETE "$own" -H @<(headers) || true
}
trap leave EXIT
trap 'exit 0' INT TERM HUP

# say TO TYPE JSON: one signal. Its id makes the repeat of a request harmless; "*" is everybody.
say() {
  jq -cn --arg to "$1" --arg type "$2" --argjson data "$3" --arg id "$RANDOM$RANDOM$RANDOM" \
    '{type: $type, data: $data, id: $id} + if $to == "*" then {} else {to: $to} end' |
    ask POST "$own/signals" -d @- | jq -r 'select(.detail) | "not sent, \(.title): \(.detail)"'
}

# heed EVENT JSON: prints what happened, and answers where an answer is due.
heed() {
  # What others sent goes to the screen without its control characters, and descriptions and candidates not at all.
  jq -r --arg event "$1" '
    if $event != "signal" then "\($event) \(tojson)"
    elif .type == "message" then "\(.from): \(.data.text? // .data | tostring)"
    else "signal \({from, type, session} | tojson)" end | gsub("[[:cntrl:]]"; "?")' <<<"$2"
  case $1 in
    signal) [ "$(jq -r .type <<<"$2")" != ping ] || say "$(jq -r .from <<<"$2")" pong "$(jq -c .data <<<"$2")" || true ;;
    end) [ "$(jq -r .retry <<<"$2")" != never ] || exit 0 ;;
  esac
  # A proof of life, at the latest every 30 s or so: the server's ping comes every 15 s.
  [ $((SECONDS - alive)) -lt 30 ] || prove
}

# The status of a proof of life tells whether the membership still holds.
alive=$SECONDS
prove() {
  alive=$SECONDS
  local answer
  answer=$(ask POST "$own/alive" -w '%{http_code}' 2>/dev/null) || return 0
  [ "$answer" = 204 ] || { jq -r '"ended: \(.reason)"' <<<"${answer%???}" && exit 0; }
}

# Reads the stream until it breaks. A block without its blank line is torn: it comes again.
read_stream() {
  local line id='' event='' data=''
  while IFS= read -r line; do
    case $line in
      'id: '*) id=${line#id: } ;;
      'event: '*) event=${line#event: } ;;
      'data: '*) data=${line#data: } ;;
      '')
        cursor=${id:-$cursor}
        heard=yes
        heed "$event" "$data"
        id='' event='' data=''
        ;;
    esac
  done < <(curl -sSN "$own/events" -H 'Accept: text/event-stream' -H @<(headers) 2>/dev/null)
}

# Asks once and waits for what comes. `read` can be interrupted, where a mere $(curl ...) would hold up Ctrl-C.
read_poll() {
  local answer='' event data
  IFS= read -r -d '' answer < <(curl -sS --max-time 40 "$own/poll?wait=25" -H @<(headers) 2>/dev/null) || true
  jq -e .cursor <<<"$answer" >/dev/null 2>&1 || return 0
  heard=yes
  while IFS=$'\t' read -r event data; do
    heed "$event" "$data"
  done < <(jq -r '.events[] | "\(.event)\t\(.data | tojson)"' <<<"$answer")
  cursor=$(jq -r .cursor <<<"$answer")
}

# A job in the background would find nothing at its own standard input.
exec 3<&0
while IFS=' ' read -r to text; do
  [ -z "$text" ] || say "$to" message "$(jq -cn --arg text "$text" '{text: $text}')" || true
done <&3 &
typing=$!

pause=1
while true; do
  heard=no
  "read_$door"
  if [ $heard = yes ]; then pause=1; else pause=$((pause < 16 ? pause * 2 : 30)); fi
  if [ $door = stream ] || [ $heard = no ]; then
    prove
    sleep "$((RANDOM % pause))" &
    wait $! || true
  fi
done
