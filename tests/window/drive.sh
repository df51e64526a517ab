#!/usr/bin/env bash
# Drives the real window on a virtual screen, as a person would, and measures it.
#   tests/window/drive.sh PROGRAM FOLDER_OF_PICTURES [FOLDER_FOR_SCREENSHOTS]
# Needs Xvfb, xdotool and ImageMagick. Opens the folder, zooms, splits, moves the strength, queues
# ten pictures, cancels one, waits for the rest, and says:
#   start: milliseconds to the first frame; frames: 95th percentile of the window's own work.
# Exit 1 when results are missing, the start takes 500 ms or the 95th percentile 8 ms or more.
set -u
program=$(realpath "$1")
pictures=$(realpath "$2")
shots=${3:-}
work=$(mktemp -d)
screen=${LIMPID_TEST_SCREEN:-:93}
failed=0

say() { printf '%s\n' "$*"; }
bad() { say "FAILED: $*"; failed=1; }
shot() { [ -z "$shots" ] || import -display "$screen" -window root "$shots/$1.png"; }
count() { find "$work/pictures" -name '*-limpid.*' | wc -l; }

Xvfb "$screen" -screen 0 1600x1000x24 >/dev/null 2>&1 &
server=$!
app=
trap 'kill $app $server 2>/dev/null; rm -rf "$work"' EXIT
export DISPLAY=$screen
sleep 1

mkdir "$work/pictures"
[ -z "$shots" ] || mkdir -p "$shots"
find "$pictures" -maxdepth 1 -type f | sort | head -10 | while read -r file; do
    cp "$file" "$work/pictures/"
done
LIMPID_HOME=$work/home LIMPID_START_LOG=$work/start LIMPID_FRAME_LOG=$work/frames \
    "$program" "$work/pictures" 2>"$work/log" &
app=$!
for _ in $(seq 100); do
    id=$(xdotool search --onlyvisible --name '^Limpid$' 2>/dev/null | head -1)
    [ -n "$id" ] && break
    sleep 0.1
done
[ -n "${id:-}" ] || { bad "no window appeared"; cat "$work/log"; exit 1; }
xdotool windowmove "$id" 0 0 windowsize "$id" 1600 1000
xdotool windowfocus "$id"
sleep 6
shot 1-split

xdotool key 1; sleep 3
xdotool mousemove 760 420 click 4 click 4 click 4; sleep 3
shot 2-zoomed
xdotool key f; sleep 1
xdotool key l; xdotool mousemove 800 420; sleep 2
shot 3-lens
xdotool key l n; sleep 4
shot 4-noise
xdotool key n; sleep 1
# The strength slider: a slow drag, so that previews start and are dropped meanwhile.
xdotool mousemove 1414 209 mousedown 1
for x in $(seq 1414 2 1446); do xdotool mousemove "$x" 209; sleep 0.05; done
xdotool mouseup 1; sleep 3
shot 5-strength
xdotool key ctrl+z; sleep 1

started=$(date +%s%N)
xdotool key ctrl+shift+Return; sleep 0.7
# Held, so that the third row still waits when its cancel button is pressed.
xdotool key ctrl+p; sleep 1
shot 6-queue
xdotool mousemove 1561 936 click 1; sleep 0.5
xdotool key ctrl+p
for _ in $(seq 600); do
    [ "$(count)" -ge 9 ] && break
    kill -0 $app 2>/dev/null || { bad "the program ended"; break; }
    sleep 0.5
done
say "queue: $(count) results after $((($(date +%s%N) - started) / 1000000)) ms"
sleep 2
shot 7-done
[ "$(count)" -ge 9 ] || bad "only $(count) results"
xdotool key ctrl+m; sleep 1; shot 8-models; xdotool key Escape
xdotool key ctrl+comma; sleep 1; shot 9-settings; xdotool key Escape
xdotool key F1; sleep 1; shot 10-shortcuts; xdotool key Escape
xdotool key ctrl+k; sleep 1; xdotool type zoom; sleep 1; shot 11-palette; xdotool key Escape
sleep 0.5
xdotool key ctrl+q
for _ in $(seq 50); do kill -0 $app 2>/dev/null || break; sleep 0.1; done
kill -0 $app 2>/dev/null && bad "the program did not close within 5 s"

start=$(cat "$work/start" 2>/dev/null || echo 99999)
frames=$(wc -l <"$work/frames")
p95=$(awk '{print $1}' "$work/frames" | sort -n | awk '{v[NR]=$1} END {print v[int(NR*0.95)+0]}')
say "start: $start ms"
say "frames: $frames, 95th percentile $p95 ms, slowest $(awk '{print $1}' "$work/frames" | sort -n | tail -1) ms"
awk -v v="$start" 'BEGIN {exit !(v < 500)}' || bad "the first frame took $start ms"
awk -v v="$p95" 'BEGIN {exit !(v < 8)}' || bad "the 95th percentile is $p95 ms"
exit $failed
