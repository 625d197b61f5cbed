// SPDX-License-Identifier: BSL-1.0
#pragma once
// weft/net.hpp - the whole network.

#include <weft/net/accept_forms.hpp>
#include <weft/net/buffer.hpp>
#include <weft/net/connect.hpp>
#include <weft/net/connect_forms.hpp>
#include <weft/net/datagram.hpp>
#include <weft/net/endpoint.hpp>
#include <weft/net/error.hpp>
#include <weft/net/message.hpp>
#include <weft/net/resolve.hpp>
#include <weft/net/socket.hpp>
#include <weft/net/stream.hpp>
#include <weft/net/stream_socket.hpp>
#include <weft/net/tcp.hpp>
#include <weft/net/udp.hpp>
#include <weft/net/unix.hpp>
#include <weft/net/unix_acceptor.hpp>
#include <weft/net/unix_connection.hpp>
#include <weft/net/unix_endpoint.hpp>
#include <weft/net/unix_seqpacket.hpp>
