# SPDX-License-Identifier: BSL-1.0
# weft for Conan 2. Consumers get weft's own CMake package, with all its targets and flags; those
# without CMake get the same from package_info().
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
    options = {
        "shared": [True, False],
        "fPIC": [True, False],
        "tools": [True, False],
        "tls": [True, False],
        "asio": [True, False],
    }
    default_options = {
        "shared": False,
        "fPIC": True,
        "tools": False,
        "tls": False,
        "asio": False,
    }
    exports_sources = "CMakeLists.txt", "cmake/*", "include/*", "src/*", "tools/*", "LICENSE"

    def set_version(self):
        header = Path(self.recipe_folder, "include/weft/version.hpp").read_text(encoding="utf-8")
        self.version = ".".join(re.findall(r"define WEFT_VERSION_[MP]\w+ (\d+)", header))

    def configure(self):
        if self.options.shared:
            self.options.rm_safe("fPIC")

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("weft runs on Linux only")
        if self.settings.arch not in ("x86_64", "armv8"):
            raise ConanInvalidConfiguration("weft knows x86_64 and armv8 only")
        check_min_cppstd(self, 20)

    def layout(self):
        cmake_layout(self)

    def requirements(self):
        # Boost.Context for a static weft; users of the bridge to Asio need Boost's headers, too.
        self.requires("boost/[>=1.74 <2]", transitive_headers=bool(self.options.asio))
        self.requires("concurrentqueue/[>=1.0.3 <2]", visible=False)
        if self.options.tls:
            self.requires("openssl/[>=3 <4]")
        if self.options.tools:
            self.requires("cli11/[>=2.1 <3]", visible=False)
            self.requires("fmt/[>=9 <12]", visible=False)
            self.requires("nlohmann_json/[>=3.11 <4]", visible=False)
            self.requires("elfutils/[>=0.186 <1]", visible=False)
            self.requires("protozero/[>=1.7 <2]", visible=False)
            self.requires("zlib/[>=1.2.11 <2]", visible=False)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        for part in ("TESTS", "EXAMPLES"):
            toolchain.cache_variables[f"WEFT_BUILD_{part}"] = False
        toolchain.cache_variables["WEFT_BUILD_TOOLS"] = bool(self.options.tools)
        toolchain.cache_variables["WEFT_TLS"] = bool(self.options.tls)
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        copy(self, "LICENSE", self.source_folder, str(Path(self.package_folder, "licenses")))
        CMake(self).install()

    def package_info(self):
        self.cpp_info.set_property("cmake_find_mode", "none")  # weft's own weftConfig.cmake
        probes = ["-fstack-clash-protection"]
        weft = self.cpp_info.components["weft"]
        weft.set_property("pkg_config_name", "weft")
        weft.libs = ["weft"]
        weft.builddirs = ["lib/cmake/weft"]
        weft.cflags = weft.cxxflags = probes
        weft.system_libs = ["pthread"]
        weft.requires = ["boost::context"]
        detector = self.cpp_info.components["lock_detector"]
        detector.libs = ["weft_lock_detector"]
        detector.requires = ["weft"]
        detector.exelinkflags = ["-Wl,--undefined=weft_lock_detector_linked"]
        if self.options.tls:
            tls = self.cpp_info.components["tls"]
            tls.libs = ["weft_tls"]
            tls.requires = ["weft", "openssl::ssl"]
        if self.options.asio:
            self.cpp_info.components["asio"].requires = ["weft", "boost::headers"]
