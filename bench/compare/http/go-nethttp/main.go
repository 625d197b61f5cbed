// SPDX-License-Identifier: BSL-1.0

// http, net/http: what a Go author would write.
package main

import (
	"net/http"

	"weftcompare/common/bench"
	"weftcompare/common/server"
)

func main() {
	bench.Parse()
	listener := server.Listen()
	server.PrintPort(listener)
	body := []byte("Hello, World!\n")
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body)
	})
	server.Check(http.Serve(listener, handler))
}
