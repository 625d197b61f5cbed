// SPDX-License-Identifier: BSL-1.0
// common/matrix.hpp - the matrices of matmul, the same in every language: a[i][k] = (i + k) % 7,
// b[k][j] = (k * j) % 5, doubles that hold whole numbers, so that every order of sums is exact.
//
// A tile of the product is computed by one leaf: rows of b are added to a row of the product, which
// every compiler can do with vectors.  Rejected: a tuned kernel (the tasks are compared, not BLAS).
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace bench {

/// Rows and columns of the product that a task computes.
struct tile {
  std::size_t row, rows, column, columns;

  bool is_leaf(std::size_t leaf) const { return rows <= leaf && columns <= leaf; }
  /// The longer side in halves.
  std::pair<tile, tile> halves() const {
    tile first = *this;
    tile second = *this;
    if (rows >= columns) {
      first.rows = rows / 2;
      second.row += first.rows;
      second.rows -= first.rows;
    } else {
      first.columns = columns / 2;
      second.column += first.columns;
      second.columns -= first.columns;
    }
    return {first, second};
  }
};

class product {
 public:
  explicit product(std::size_t n) : n_(n), a_(n * n), b_(n * n), c_(n * n) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        a_[i * n + j] = double((i + j) % 7);
        b_[i * n + j] = double(i * j % 5);
      }
    }
  }

  tile whole() const { return {0, n_, 0, n_}; }

  void compute(const tile& part) {
    for (std::size_t i = part.row; i < part.row + part.rows; ++i) {
      double* const to = c_.data() + i * n_ + part.column;
      for (std::size_t j = 0; j < part.columns; ++j) to[j] = 0;
      for (std::size_t k = 0; k < n_; ++k) {
        const double factor = a_[i * n_ + k];
        const double* const from = b_.data() + k * n_ + part.column;
        for (std::size_t j = 0; j < part.columns; ++j) to[j] += factor * from[j];
      }
    }
  }

  /// The sum of all elements, each times (i % 10 + 1) * (j % 10 + 1): a wrong one shows.
  std::int64_t weighted_sum() const {
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < n_; ++i) {
      for (std::size_t j = 0; j < n_; ++j) {
        sum += std::int64_t(c_[i * n_ + j]) * std::int64_t(i % 10 + 1) * std::int64_t(j % 10 + 1);
      }
    }
    return sum;
  }

 private:
  std::size_t n_;
  std::vector<double> a_, b_, c_;  // by rows
};

}  // namespace bench
