#!/usr/bin/env python3
# SPDX-License-Identifier: BSL-1.0
"""examples/https_server against curl and openssl s_client: trust, resumption, rude clients."""

import pathlib
import sys
import tempfile

from support import Server, need, reset, run

openssl = need("openssl", "openssl")
curl = need("curl", "curl")

with tempfile.TemporaryDirectory() as folder:
    key, cert = pathlib.Path(folder, "key.pem"), pathlib.Path(folder, "cert.pem")
    run(
        *[openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        *["-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", "/CN=weft"],
        *["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    )
    with Server(sys.argv[1], "--certificate", cert, "--key", key) as server:
        url = f"https://localhost:{server.port}"
        trusting = [curl, "-sS", "--cacert", cert]
        assert run(*trusting, url + "/") == "Hello from weft\n"
        assert run(*trusting, url + "/", url + "/") == "Hello from weft\n" * 2
        assert run(*trusting, "--tlsv1.2", "--tls-max", "1.2", url + "/connection").startswith(
            "TLSv1.2 "
        )
        assert run(*trusting, url + "/connection").startswith("TLSv1.3 ")
        run(curl, "-sS", url + "/", status=60)  # curl's own authorities do not know it
        run(*trusting, "-f", url + "/none", status=22)
        run(*trusting, "--tls-max", "1.1", url + "/", status=35)

        # s_client: the protocol, the verification, and a second connection that resumes the first
        at = ["-connect", f"127.0.0.1:{server.port}", "-CAfile", cert, "-servername", "localhost"]
        session = pathlib.Path(folder, "session")
        request = "GET /connection HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        client = [openssl, "s_client", "-ign_eof", "-verify_return_error", "-alpn", "http/1.1", *at]
        first = run(*client, "-sess_out", session, input=request)
        assert "Verify return code: 0 (ok)" in first and "ALPN protocol: http/1.1" in first, first
        assert " new\n" in first, first
        again = run(*client, "-sess_in", session, input=request)
        assert " resumed\n" in again, again

        # who speaks no TLS, says nothing, or resets, harms nobody
        with server.connect() as plain:
            plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            plain.recv(100)
        silent = server.connect()
        for _ in range(20):
            rude = server.connect()
            rude.sendall(b"\x16\x03\x01\x02\x00")
            reset(rude)
        assert run(*trusting, url + "/") == "Hello from weft\n"
        silent.close()
