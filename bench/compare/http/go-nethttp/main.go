// SPDX-License-Identifier: BSL-1.0

// http, net/http: what a Go author would write.
package main

import (
	"fmt"
	"net"
	"net/http"
	"os"

	"weftcompare/common/bench"
)

func main() {
	bench.Parse()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Printf("port=%d\n", listener.Addr().(*net.TCPAddr).Port)
	body := []byte("Hello, World!\n")
	handler := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain")
		w.Write(body)
	})
	fmt.Fprintln(os.Stderr, http.Serve(listener, handler))
	os.Exit(1)
}
