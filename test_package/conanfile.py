# SPDX-License-Identifier: BSL-1.0
# The consumer is a copy of test/package/consumer, which is built against the installed tree, too.
from pathlib import Path

from conan import ConanFile
from conan.tools.build import can_run
from conan.tools.cmake import CMake, CMakeToolchain, cmake_layout


class WeftTestConan(ConanFile):
    settings = "os", "compiler", "build_type", "arch"
    generators = ("CMakeDeps",)

    def requirements(self):
        self.requires(self.tested_reference_str)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        weft = self.dependencies["weft"]
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["WEFT_CONSUMER_VERSION"] = str(weft.ref.version)
        components = [name for name in ("asio", "tls") if weft.options.get_safe(name)]
        toolchain.cache_variables["WEFT_CONSUMER_COMPONENTS"] = ",".join(components)
        toolchain.cache_variables["WEFT_CONSUMER_SHARED"] = bool(weft.options.shared)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure(build_script_folder="../test/package/consumer")
        cmake.build()

    def test(self):
        if can_run(self):
            programs = ["consumer", "consumer_with_lock_detector"]
            for name in ("asio", "tls"):
                if self.dependencies["weft"].options.get_safe(name):
                    programs.append(f"consumer_with_{name}")
            for program in programs:
                self.run(str(Path(self.build_folder, program)), env="conanrun")
