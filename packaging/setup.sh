# What ./run and ./check share: finds what this computer lacks and installs it with apt.
# Sourced, never run. Works with the bash 3.2 of macOS, where it finds nothing to install.
# shellcheck shell=bash

say() { printf 'limpid: %s\n' "$*" >&2; }

fail() {
    say "$*"
    exit 1
}

# Packages to install, and a line for each saying why.
wanted_packages=""
wanted_reasons=""

want() { # packages, reason
    wanted_packages="$wanted_packages $1"
    wanted_reasons="$wanted_reasons
  $1: $2"
}

need_command() { # command, packages, reason
    command -v "$1" >/dev/null 2>&1 || want "$2" "$3"
}

# The window loads its libraries by name at run time, so no linker and no `ldd` reports them.
need_library() { # library file, package, reason
    case "$known_libraries" in
        *"$1"*) ;;
        *) want "$2" "$3" ;;
    esac
}

need_build_tools() {
    need_command cc "gcc libc6-dev" "cargo links programs with it"
}

# The program is linked to it, so it takes the headers to build, window or not.
need_sound_library() {
    [ "$(uname -s)" = Linux ] || return 0
    need_command pkg-config pkg-config "the build finds the sound library with it"
    pkg-config --exists alsa 2>/dev/null || want libasound2-dev "microphones and loudspeakers (ALSA)"
}

need_window_libraries() {
    [ "$(uname -s)" = Linux ] || return 0
    known_libraries=$(PATH="$PATH:/sbin:/usr/sbin" ldconfig -p 2>/dev/null)
    need_library libEGL.so.1 libegl1 "the window draws through it"
    need_library libGL.so.1 libgl1 "the window draws through it"
    need_library libxkbcommon.so.0 libxkbcommon0 "keyboard layouts"
    need_library libxkbcommon-x11.so.0 libxkbcommon-x11-0 "keyboard layouts under X11"
    need_library libX11.so.6 libx11-6 "windows under X11"
    need_library libX11-xcb.so.1 libx11-xcb1 "windows under X11"
    need_library libxcb.so.1 libxcb1 "windows under X11"
    need_library libXcursor.so.1 libxcursor1 "mouse pointers under X11"
    need_library libXi.so.6 libxi6 "mouse and touch under X11"
    need_library libwayland-client.so.0 libwayland-client0 "windows under Wayland"
    need_library libwayland-cursor.so.0 libwayland-cursor0 "mouse pointers under Wayland"
    need_library libwayland-egl.so.1 libwayland-egl1 "drawing under Wayland"
    need_library libdbus-1.so.3 libdbus-1-3 "the desktop's own file dialogs"
    # A graphics card's own driver serves as well as Mesa's; without any there is no window.
    set -- /usr/share/glvnd/egl_vendor.d/*.json
    [ -e "$1" ] || want "libegl-mesa0 libglx-mesa0 libgl1-mesa-dri" "an OpenGL driver, also without a graphics card"
}

install_wanted_packages() {
    [ -n "$wanted_packages" ] || return 0
    if ! command -v apt-get >/dev/null 2>&1; then
        say "these Debian packages, or what stands for them here, are missing:$wanted_reasons"
        say "there is no apt-get to install them with; going on without"
        return 0
    fi
    as_root=""
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            say "these packages are missing:$wanted_reasons"
            say "installing them takes root or sudo; going on without. As root: apt-get install$wanted_packages"
            return 0
        fi
        as_root="sudo"
    fi
    say "installing system packages:$wanted_reasons"
    # Unquoted on purpose: each package is a word. The lock may be held by the system's own updater.
    # shellcheck disable=SC2086
    if ! { $as_root apt-get -qq update \
        && $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes \
            --no-install-recommends -o DPkg::Lock::Timeout=300 $wanted_packages; } >&2; then
        say "apt-get failed; going on without:$wanted_packages"
    fi
}

require_build_tools() {
    # rustup installs for one user, and a fresh login shell may not know the folder yet.
    PATH="$PATH:$HOME/.cargo/bin"
    command -v cargo >/dev/null 2>&1 \
        || fail "cargo is missing; install Rust (https://www.rust-lang.org/tools/install) and start again"
    command -v cc >/dev/null 2>&1 \
        || fail "a C compiler is missing, cargo links programs with it; install gcc and start again"
    [ "$(uname -s)" != Linux ] || pkg-config --exists alsa 2>/dev/null \
        || fail "the headers of ALSA or pkg-config are missing; install them (Debian: libasound2-dev pkg-config, Fedora: alsa-lib-devel) and start again"
}
