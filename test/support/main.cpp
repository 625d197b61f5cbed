// SPDX-License-Identifier: BSL-1.0
// test/support/main.cpp - doctest's main, compiled once for every test executable. It prints a line
// for each case that is skipped for a reason (its description), and tells ctest of a program that
// is skipped as a whole.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <cstdio>

namespace {

constexpr int skipped = 77;  // ctest's SKIP_RETURN_CODE

bool any_ran = false, any_skipped = false;

struct skipped_cases : doctest::IReporter {
  explicit skipped_cases(const doctest::ContextOptions&) {}
  void test_case_start(const doctest::TestCaseData&) override { any_ran = true; }
  void test_case_skipped(const doctest::TestCaseData& c) override {
    if (!c.m_skip || c.m_description == nullptr) return;
    any_skipped = true;
    std::printf("SKIPPED under qemu: %s: %s\n", c.m_name, c.m_description);
  }
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void test_case_exception(const doctest::TestCaseException&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData&) override {}
  void log_message(const doctest::MessageData&) override {}
};

}  // namespace

DOCTEST_REGISTER_LISTENER("skipped", 1, skipped_cases);

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int result = context.run();
  if (context.shouldExit()) return result;
  return result == 0 && any_skipped && !any_ran ? skipped : result;
}
