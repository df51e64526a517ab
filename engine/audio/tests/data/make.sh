#!/bin/sh
# Makes the small sound files of the tests with ffmpeg: a fifth of a second of a 440 Hz sine in the left
# channel and 660 Hz in the right, amplitude 0.25, 8820 frames at 44.1 kHz.
#   tests/data/make.sh [ffmpeg]
set -eu
cd "$(dirname "$0")"
ffmpeg=${1:-ffmpeg}
left='0.25*sin(2*PI*440*t)'
right='0.25*sin(2*PI*660*t)'
sound="aevalsrc='$left|$right':s=44100:d=0.2"
make() { # output, options…
    out=$1
    shift
    "$ffmpeg" -hide_banner -loglevel error -y -f lavfi -i "$sound" -bitexact \
        -metadata title=Sines -metadata artist=Nobody "$@" "$out"
}
make sines.mp3 -c:a libmp3lame -b:a 64k
make sines.m4a -c:a aac -b:a 64k
make sines-alac.m4a -c:a alac -sample_fmt s16p
make sines.aac -c:a aac -b:a 64k
make sines.ogg -c:a libvorbis -q:a 2
make sines.opus -c:a libopus -b:a 32k
make sines-opus.webm -c:a libopus -b:a 32k
make sines-opus.mp4 -c:a libopus -b:a 32k
make surround.opus -filter:a 'pan=5.1|FL=c0|FR=c1|FC=c0|LFE=c1|BL=c0|BR=c1' -c:a libopus -b:a 64k
make sines.webm -c:a libvorbis -q:a 2
make sines.aiff -c:a pcm_s16be
make sines.caf -c:a pcm_s16be
make sines.flac -c:a flac -sample_fmt s16
make sines-alaw.wav -c:a pcm_alaw
make sines-adpcm.wav -c:a adpcm_ima_wav
for video in sines.mp4 sines.mkv sines.mov; do
    case $video in
        *.mov) codec="-c:a pcm_s16le" ;;
        *) codec="-c:a aac -b:a 64k" ;;
    esac
    # shellcheck disable=SC2086
    "$ffmpeg" -hide_banner -loglevel error -y -f lavfi -i color=gray:s=16x16:r=10:d=0.2 \
        -f lavfi -i "$sound" -bitexact -map 0:v -map 1:a -c:v mpeg4 $codec "$video"
done
"$ffmpeg" -hide_banner -loglevel error -y -f lavfi -i color=gray:s=16x16:r=10:d=0.2 \
    -bitexact -c:v mpeg4 silent.mp4
