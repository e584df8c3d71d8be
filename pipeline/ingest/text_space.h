// SPDX-License-Identifier: Apache-2.0
// Vectors of short texts, such as titles, without a language model: latent semantic analysis
// (Deerwester et al. 1990) of the texts' pieces, which are runs of 3 to 5 characters of a word with
// its ends marked, known by hashes. With x_ip = (1 + log count) idf_p, rows of length 1, and
// x ~ U S V', a text's vector is sum_p x_ip V_p S^-1/2.
#pragma once

#include <string>
#include <vector>

#include "graph/catalog.h"
#include "graph/random.h"
#include "kernels/backend.h"

namespace penchant::pipeline {

/// Fills width, pieces and projection of `space` from texts (an empty one says nothing), of which a
/// random 65,536 are enough; width stays 0 where no piece is in two of them. `backend` computes on
/// the CPU.
void fit_text_space(const std::vector<std::string>& texts, graph::Seed seed,
                    kernels::Backend& backend, graph::ContentSpace& space);

/// Appends the text's vector, of any length; of zeros where no piece of it is known.
void append_text_vector(const std::string& text, const graph::ContentSpace& space,
                        std::vector<float>& numbers);

}  // namespace penchant::pipeline
