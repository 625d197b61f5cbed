// SPDX-License-Identifier: BSL-1.0
// unit/tls_verify_test.cpp - whom one believes: names, addresses, dates, authorities, clients'
// certificates; and settings that are refused.
#include <cstddef>
#include <cstdlib>
#include <fstream>
#include <string>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>

#include "support/tls.hpp"

using namespace weft::test;
using weft::tls::context;
using weft::tls::verify;

namespace {

struct ends {
  std::error_code client, server;
};

// How a handshake, and a word after it, end on both sides.
ends meet(const context& client, const context& server, const std::string& name) {
  auto [x, y] = connected_pair();
  tcp_tls a(std::move(x), client, name), b(std::move(y), server);
  ends e;
  auto far = weft::spawn([&] {
    b.handshake(e.server);
    if (!e.server) b.write_all(bytes("word"), e.server);
  });
  a.handshake(e.client);
  std::byte word[4];
  if (!e.client) a.read_exactly(word, e.client);
  far.join();
  return e;
}

void refused(const ends& e, int why) {
  CHECK(weft::tls::verify_error(e.client) == why);
  CHECK(e.client.category() == weft::tls::category());
  CHECK(e.client.message().find("certificate refused: ") == 0);
  // The server is told, by an alert.
  CHECK(e.server.category() == weft::tls::category());
  CHECK(weft::tls::verify_error(e.server) == 0);
  CHECK(e.server.message().find("alert") != std::string::npos);
}

}  // namespace

TEST_CASE("tls verify: whose certificate it is") {
  weft::run([] {
    const auto server = server_context();
    for (const char* name :
         {"localhost", "server.example", "SERVER.example", "127.0.0.1", "localhost."}) {
      const ends e = meet(client_context(), server, name);
      CHECK(!e.client);
      CHECK(!e.server);
    }
    refused(meet(client_context(), server, "other.example"), X509_V_ERR_HOSTNAME_MISMATCH);
    refused(meet(client_context(), server, "a.server.example"), X509_V_ERR_HOSTNAME_MISMATCH);
    refused(meet(client_context(), server, "127.0.0.2"), X509_V_ERR_IP_ADDRESS_MISMATCH);
    refused(meet(client_context(), server, "::1"), X509_V_ERR_IP_ADDRESS_MISMATCH);
  });
}

TEST_CASE("tls verify: dates and authorities") {
  weft::run([] {
    const auto expired = make_certificate({"DNS:localhost", -7200, -3600}, &authority());
    refused(meet(client_context(), server_context(expired), "localhost"),
            X509_V_ERR_CERT_HAS_EXPIRED);
    const auto early = make_certificate({"DNS:localhost", 3600, 7200}, &authority());
    refused(meet(client_context(), server_context(early), "localhost"),
            X509_V_ERR_CERT_NOT_YET_VALID);
    const auto alone = make_certificate({"DNS:localhost"});
    refused(meet(client_context(), server_context(alone), "localhost"),
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    // Nothing added: the system's authorities, and ours is none of them.
    refused(meet(context::client(), server_context(), "localhost"),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);
    auto trusting = context::client();
    trusting.set_verify(verify::none);
    CHECK(!meet(trusting, server_context(expired), "").client);

    std::string what;
    auto [x, y] = connected_pair();
    tcp_tls a(std::move(x), client_context(), "other.example"), b(std::move(y), server_context());
    auto far = weft::spawn([&] {
      std::error_code ec;
      b.handshake(ec);
    });
    CHECK(weft::tls::verify_error(thrown_by([&] { a.handshake(); }, &what)) ==
          X509_V_ERR_HOSTNAME_MISMATCH);
    CHECK(what == "weft: tls handshake with other.example: certificate refused: hostname mismatch");
    far.join();
    std::byte one[1];
    std::error_code ec;
    CHECK(a.read_some(one, ec) == 0);  // it stays
    CHECK(weft::tls::verify_error(ec) == X509_V_ERR_HOSTNAME_MISMATCH);
  });
}

TEST_CASE("tls verify: a chain by way of another authority, files, directories") {
  weft::run([] {
    const scratch dir;
    const auto between = make_certificate({}, &authority());
    const auto leaf = make_certificate({"DNS:localhost"}, &between);
    const auto server = context::server(dir.write("chain.pem", leaf.pem + between.pem),
                                        dir.write("key.pem", leaf.key_pem));
    CHECK(!meet(client_context(), server, "localhost").client);
    refused(meet(client_context(), server_context(leaf), "localhost"),
            X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY);

    auto by_file = context::client();
    by_file.add_ca_file(dir.write("ca.pem", authority().pem));
    CHECK(!meet(by_file, server, "localhost").client);

    char name[32];
    std::snprintf(name, sizeof name, "%08lx.0",
                  ::X509_NAME_hash_ex(::X509_get_subject_name(authority().x509.get()), nullptr,
                                      nullptr, nullptr));
    const scratch hashed;
    hashed.write(name, authority().pem);
    auto by_directory = context::client();
    by_directory.add_ca_directory(hashed.file(""));
    CHECK(!meet(by_directory, server, "localhost").client);
  });
}

TEST_CASE("tls verify: clients are told of all authorities that were added") {
  const scratch files, folder;
  auto server = server_context();
  const auto told = [&] {
    const auto* list = ::SSL_CTX_get_client_CA_list(server.native_handle());
    return list == nullptr ? 0 : sk_X509_NAME_num(list);
  };
  server.add_ca_file(files.write("one.pem", make_certificate({}).pem));
  CHECK(told() == 1);
  server.add_ca(make_certificate({}).pem);
  server.add_ca_file(files.write("two.pem", make_certificate({}).pem + make_certificate({}).pem));
  CHECK(told() == 4);
  folder.write("three.pem", make_certificate({}).pem);
  server.add_ca_directory(folder.file(""));
  CHECK(told() == 5);
}

TEST_CASE("tls verify: clients show certificates") {
  weft::run([] {
    const auto mine = make_certificate({"DNS:client.example"}, &authority());
    const auto unknown = make_certificate({"DNS:client.example"});
    auto with = client_context(), without = client_context(), stranger = client_context();
    with.use_certificate_chain(mine.pem);
    with.use_private_key(mine.key_pem);
    stranger.use_certificate_chain(unknown.pem);
    stranger.use_private_key(unknown.key_pem);

    auto server = server_context();
    server.add_ca(authority().pem);
    server.set_verify(verify::required);
    CHECK(!meet(with, server, "localhost").server);
    ends e = meet(without, server, "localhost");
    CHECK(e.server.message().find("peer did not return a certificate") != std::string::npos);
    CHECK(e.client.message().find("alert") != std::string::npos);  // in TLS 1.3 with the first read
    e = meet(stranger, server, "localhost");
    CHECK(weft::tls::verify_error(e.server) == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
    CHECK(e.client.category() == weft::tls::category());

    auto optional = server_context();
    optional.add_ca(authority().pem);
    optional.set_verify(verify::if_given);
    CHECK(!meet(without, optional, "localhost").server);
    CHECK(weft::tls::verify_error(meet(stranger, optional, "localhost").server) != 0);

    // A name that asks for certificates, behind one that does not.
    auto front = server_context();
    front.add_server_name("server.example", server);
    CHECK(!meet(without, front, "localhost").server);
    CHECK(meet(without, front, "server.example").server);
    CHECK(!meet(with, front, "server.example").server);
  });
}

TEST_CASE("tls: settings that are refused say why") {
  const scratch dir;
  auto c = context::client();
  auto s = context::server();
  std::string what;
  CHECK(thrown_by([&] { c.add_ca_file(dir.file("none")); }, &what) ==
        std::errc::no_such_file_or_directory);
  CHECK(what.find(dir.file("none")) != std::string::npos);
  CHECK(thrown_by([&] { s.use_certificate_chain_file(dir.file("none")); }) ==
        std::errc::no_such_file_or_directory);
  CHECK(thrown_by([&] { s.use_certificate_chain("no PEM"); }).category() == weft::tls::category());
  CHECK(thrown_by([&] { c.add_ca(""); }).category() == weft::tls::category());
  s.use_certificate_chain(server_certificate().pem);
  const auto other = make_certificate({"DNS:x"});
  CHECK(thrown_by([&] { s.use_private_key(other.key_pem); }, &what).category() ==
        weft::tls::category());
  CHECK(what.find("mismatch") != std::string::npos);
  CHECK(thrown_by([&] { c.set_alpn({""}); }) == std::errc::invalid_argument);
  CHECK(thrown_by([&] { c.add_server_name("x", s); }) == std::errc::invalid_argument);
  CHECK(thrown_by([&] { s.add_server_name("x", s); }) == std::errc::invalid_argument);
  // A client that verifies has to know whom.
  CHECK(thrown_by([&] { tcp_tls(weft::net::tcp_stream(), c); }) == std::errc::invalid_argument);
  // OpenSSL would accept any name below it.
  CHECK(thrown_by([&] { tcp_tls(weft::net::tcp_stream(), c, ".example"); }) ==
        std::errc::invalid_argument);
  CHECK(thrown_by([&] { tcp_tls(weft::net::tcp_stream(), c, std::string("a\0b", 3)); }) ==
        std::errc::invalid_argument);

  // An encrypted key: with its password, without, with a wrong one; nobody is asked.
  ::BIO* b = ::BIO_new(::BIO_s_mem());
  const std::string password = "open sesame";
  ::PEM_write_bio_PKCS8PrivateKey(b, server_certificate().key.get(), ::EVP_aes_128_cbc(),
                                  password.data(), static_cast<int>(password.size()), nullptr,
                                  nullptr);
  const std::string encrypted = contents(b);
  CHECK(thrown_by([&] { s.use_private_key(encrypted); }).category() == weft::tls::category());
  CHECK(thrown_by([&] { s.use_private_key(encrypted, "wrong"); }).category() ==
        weft::tls::category());
  s.use_private_key(encrypted, password);
}

TEST_CASE("tls: keys are logged if asked, and only then") {
  weft::run([] {
    const scratch dir;
    ::setenv("SSLKEYLOGFILE", dir.file("keys").c_str(), 1);
    {
      auto quiet = tls_pair();
    }
    CHECK(!std::filesystem::exists(dir.file("keys")));
    auto client = client_context();
    CHECK(client.log_keys_from_environment());
    ::unsetenv("SSLKEYLOGFILE");
    CHECK(!client_context().log_keys_from_environment());
    {
      auto logged = tls_pair(client);
    }
    std::ifstream in(dir.file("keys"));
    std::string line;
    int traffic = 0;
    while (std::getline(in, line)) traffic += line.find("CLIENT_TRAFFIC_SECRET_0 ") == 0;
    CHECK(traffic == 1);
    struct stat facts{};
    REQUIRE(::stat(dir.file("keys").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
  });
}

TEST_CASE("tls: a path with a zero byte names no file") {
  using namespace std::string_literals;
  auto server = weft::tls::context::server();
  const std::string path = "/dev/null\0x"s;
  const auto refused = [](auto call) { return thrown_by(call) == std::errc::invalid_argument; };
  CHECK(refused([&] { server.use_certificate_chain_file(path); }));
  CHECK(refused([&] { server.use_private_key_file(path); }));
  CHECK(refused([&] { server.add_ca_file(path); }));
  CHECK(refused([&] { server.add_ca_directory(path); }));
  CHECK(refused([&] { server.log_keys(path); }));
}
