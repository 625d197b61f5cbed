# SPDX-License-Identifier: BSL-1.0
# The toolchain of the preset aarch64: Debian's cross compiler, arm64 packages beside the machine's
# own, and qemu's user mode to run what comes out.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
find_program(WEFT_QEMU NAMES qemu-aarch64 qemu-aarch64-static)
mark_as_advanced(WEFT_QEMU)
if(WEFT_QEMU)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${WEFT_QEMU})
endif()
# Programs are this machine's; what pkg-config and CMake's own modules find is the target's.
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(ENV{PKG_CONFIG_LIBDIR} /usr/lib/aarch64-linux-gnu/pkgconfig:/usr/share/pkgconfig)
