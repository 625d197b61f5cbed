# SPDX-License-Identifier: BSL-1.0
import re
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.build import check_min_cppstd
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class WeftConan(ConanFile):
    name = "weft"
    description = "An M:N work-stealing scheduler for stackful fibers on Linux"
    license = "BSL-1.0"
    topics = ("fibers", "concurrency", "scheduler", "work-stealing")
    package_type = "library"
    settings = "os", "compiler", "build_type", "arch"
    options = {"shared": [True, False], "fPIC": [True, False], "with_tls": [True, False]}
    default_options = {"shared": False, "fPIC": True, "with_tls": False}
    exports_sources = "CMakeLists.txt", "cmake/*", "include/*", "src/*", "LICENSE"

    def set_version(self):
        header = Path(self.recipe_folder, "include/weft/version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"define WEFT_VERSION_[MP]\w+ (\d+)", header))

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("weft runs on Linux only")
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        self.requires("boost/[>=1.74 <2]")
        self.requires("concurrentqueue/[>=1.0.3 <2]", visible=False)
        if self.options.with_tls:
            self.requires("openssl/[>=3 <4]")

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES", "TOOLS"):
            toolchain.cache_variables[f"WEFT_BUILD_{part}"] = False
        toolchain.cache_variables["WEFT_TLS"] = "ON" if self.options.with_tls else "OFF"
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, str(Path(self.package_folder, "licenses")))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_file_name", "weft")
        base = self.cpp_info.components["core"]
        base.set_property("cmake_target_name", "weft::weft")
        base.libs = ["weft"]
        base.requires = ["boost::context", "concurrentqueue::concurrentqueue"]
        base.system_libs = ["pthread"]
        if self.options.with_tls:
            tls = self.cpp_info.components["tls"]
            tls.set_property("cmake_target_name", "weft::tls")
            tls.libs = ["weft_tls"]
            tls.requires = ["core", "openssl::ssl", "openssl::crypto"]
