// SPDX-License-Identifier: BSL-1.0
// weft/detail/export.hpp - a shared weft exports what is declared in a namespace marked WEFT_API:
// those of the public headers. The macro is empty except in the shared library itself. A static
// weft is hidden in the program or library it is linked into, and its templates are as visible as
// that one's own code: a plugin compiled with -fvisibility=hidden keeps its copy to itself. A few
// functions of src/ are marked, too: weft::lock_detector and weft::tls, libraries of their own,
// call them.
// Rejected: a macro per function (one is forgotten, and missed by users of the shared library
// only).
#pragma once

#ifdef WEFT_BUILDS_SHARED_LIBRARY
#define WEFT_API [[gnu::visibility("default")]]
#else
#define WEFT_API
#endif
