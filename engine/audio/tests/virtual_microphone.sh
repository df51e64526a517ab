#!/usr/bin/env bash
# Runs virtual_microphone.rs against a sound server of its own, with microphones that are not there.
# Debian packages: pulseaudio pulseaudio-utils libasound2-plugins
#   engine/audio/tests/virtual_microphone.sh          ten seconds
#   engine/audio/tests/virtual_microphone.sh 600      ten minutes
# A program put between starts in the same surroundings:
#   engine/audio/tests/virtual_microphone.sh 10 COMMAND…
set -u
here=$(cd "$(dirname "$0")" && pwd) || exit 1
export LIMPID_TEST_SECONDS=${1:-10}
[ $# -gt 0 ] && shift

for command in pulseaudio pactl paplay; do
    command -v $command >/dev/null 2>&1 || {
        echo "$command is missing; install pulseaudio pulseaudio-utils libasound2-plugins" >&2
        exit 2
    }
done

home=$(mktemp -d) || exit 1
server=""
clean_up() {
    [ -z "$server" ] || kill "$server" 2>/dev/null
    rm -rf "$home"
}
trap clean_up EXIT

# Nothing of the real sound server or its settings is touched: sockets and settings are in $home.
export XDG_CONFIG_HOME="$home" XDG_RUNTIME_DIR="$home" PULSE_RUNTIME_PATH="$home/pulse"
export PULSE_SERVER="unix:$home/native"
mkdir -p "$home/alsa" "$home/pulse"
chmod 700 "$home"
cat > "$home/alsa/asoundrc" <<CONFIG
pcm.!default { type pulse }
ctl.!default { type pulse }
pcm.ears {
    type pulse
    device "ears.monitor"
    hint { show on description "What the ears hear" }
}
CONFIG
cat > "$home/server.pa" <<CONFIG
load-module module-native-protocol-unix socket=$home/native auth-anonymous=1
load-module module-null-sink sink_name=room rate=48000 channels=1 format=s16le
load-module module-null-sink sink_name=ears rate=48000 channels=1 format=s16le
set-default-source room.monitor
set-default-sink ears
CONFIG
pulseaudio -n -F "$home/server.pa" --daemonize=no --use-pid-file=no --exit-idle-time=-1 \
    --high-priority=no --realtime=no 2>"$home/server.log" &
server=$!
for _ in $(seq 100); do
    pactl info >/dev/null 2>&1 && break
    sleep 0.1
done
pactl info >/dev/null 2>&1 || {
    cat "$home/server.log" >&2
    echo "the sound server does not start" >&2
    exit 1
}
export LIMPID_TEST_PULSE_PID=$server

if [ $# -gt 0 ]; then
    "$@"
else
    cargo test --manifest-path "$here/../Cargo.toml" --test virtual_microphone -- \
        --ignored --nocapture --test-threads=1
fi
