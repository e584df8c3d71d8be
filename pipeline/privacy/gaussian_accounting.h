// SPDX-License-Identifier: Apache-2.0
// What Gaussian noise guarantees, exactly. With mu = sensitivity / sigma, a Gaussian mechanism is
// (epsilon, delta)-differentially private if and only if
//   delta >= Phi(mu / 2 - epsilon / mu) - exp(epsilon) Phi(-mu / 2 - epsilon / mu)
// (Balle and Wang, "Improving the Gaussian mechanism for differential privacy", ICML 2018, theorem 8).
// Several of them, each of which may be chosen by what the earlier ones said, are together as one
// with mu = sqrt(sum of mu^2) (Dong, Roth and Su, "Gaussian differential privacy", JRSS B 2022,
// corollary 3.3): nothing is lost by composition.
#pragma once

#include <span>

namespace penchant::pipeline {

/// The least delta at this epsilon; mu > 0, epsilon >= 0.
double gaussian_delta(double mu, double epsilon);
/// The least epsilon at this delta, rounded up; 0 < delta < 1.
double gaussian_epsilon(double mu, double delta);
/// The largest mu that keeps both, rounded down; epsilon > 0, 0 < delta < 1.
double gaussian_mu(double epsilon, double delta);
/// Of all together.
double composed_mu(std::span<const double> mus);

/// No test tells the users of the data from others with a true positive rate that is further above its
/// false positive rate: (e^epsilon - 1 + 2 delta) / (e^epsilon + 1) (Humphries et al., "Investigating
/// membership inference attacks under data dependencies", CSF 2023, theorem 3.2).
double largest_advantage(double epsilon, double delta);

}  // namespace penchant::pipeline
