#!/usr/bin/env bash
# shellcheck disable=SC2034 # what it sets is for those who source it
# What each target is built with and runs under. Sourced by the other scripts.

# Sets, for the Rust target $1: `gcc`, the compiler; or `zig`, what zig calls the target, and `cpu`, the least processor; `debian`, the
# packages they need; `qemu`, the emulator; `sysroot`, where the emulator finds libraries; `cfg`, what crates are to know.
describe() {
    gcc='' zig='' cpu='' debian='' qemu='' sysroot='' cfg=''
    case $1 in
        x86_64-unknown-linux-gnu)
            gcc=x86_64-linux-gnu-gcc debian='gcc libc6-dev'
            ;;
        aarch64-unknown-linux-gnu)
            gcc=aarch64-linux-gnu-gcc debian='gcc-aarch64-linux-gnu libc6-dev-arm64-cross'
            qemu=qemu-aarch64-static sysroot=/usr/aarch64-linux-gnu
            ;;
        armv7-unknown-linux-gnueabihf)
            gcc=arm-linux-gnueabihf-gcc debian='gcc-arm-linux-gnueabihf libc6-dev-armhf-cross'
            qemu=qemu-arm-static sysroot=/usr/arm-linux-gnueabihf
            ;;
        # Debian's startup code and libraries of armhf are for ARMv7. zig brings both for the processor it is told.
        arm-unknown-linux-gnueabihf)
            zig=arm-linux-gnueabihf.2.36 cpu=arm1176jzf_s debian='libc6-dev-armhf-cross'
            qemu=qemu-arm-static sysroot=/usr/arm-linux-gnueabihf
            ;;
        riscv64gc-unknown-linux-gnu)
            gcc=riscv64-linux-gnu-gcc debian='gcc-riscv64-linux-gnu libc6-dev-riscv64-cross'
            qemu=qemu-riscv64-static sysroot=/usr/riscv64-linux-gnu
            ;;
        x86_64-unknown-linux-musl) zig=x86_64-linux-musl ;;
        aarch64-unknown-linux-musl) zig=aarch64-linux-musl qemu=qemu-aarch64-static ;;
        # musl 1.2 has a time of 64 bits on every processor: the libc crate has to be told (README.md, Traps).
        armv7-unknown-linux-musleabihf)
            zig=arm-linux-musleabihf cpu=generic+v7a+vfp3d16-neon-d32 qemu=qemu-arm-static cfg=libc_unstable_musl_v1_2
            ;;
        mipsel-unknown-linux-musl) zig=mipsel-linux-musleabi qemu=qemu-mipsel-static cfg=libc_unstable_musl_v1_2 ;;
        mips-unknown-linux-musl) zig=mips-linux-musleabi qemu=qemu-mips-static cfg=libc_unstable_musl_v1_2 ;;
        *)
            echo "$1: no such target here; see cross/README.md" >&2
            return 64
            ;;
    esac
    debian="curl flex bison make xz-utils $debian"
    if [ -n "$qemu" ]; then
        debian="$debian qemu-user-static"
    fi
    if [ -n "$zig" ]; then
        debian="$debian python3-venv"
    fi
    return 0
}
