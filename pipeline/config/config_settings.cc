// SPDX-License-Identifier: Apache-2.0
#include "pipeline/config/config_settings.h"

#include <type_traits>
#include <utility>

#include "pipeline/ingest/time_parse.h"

namespace penchant::pipeline {

namespace fs = std::filesystem;

namespace {

template <typename Access>
Setting setting(std::string key, std::string help, Access access) {
  using Member = std::decay_t<decltype(access(std::declval<Config&>()))>;
  constexpr bool kIsPath =
      std::is_same_v<Member, fs::path> || std::is_same_v<Member, std::vector<fs::path>>;
  return {
      key, std::move(help),
      [key, access](Config& config, const toml::node& node, const Source& source) {
        read_value(node, access(config), source, key);
      },
      [access](const Config& config) { return write_value(access(const_cast<Config&>(config))); },
      kIsPath};
}

/// A setting whose text `read` must understand: what it throws is told with the place.
template <typename Access, typename Read>
Setting checked_setting(std::string key, std::string help, Access access, Read read) {
  Setting made = setting(key, std::move(help), access);
  made.read = [key, access, read](Config& config, const toml::node& node, const Source& source) {
    read_value(node, access(config), source, key);
    try {
      read(access(config));
    } catch (const InputError& error) {
      throw InputError(fmt::format("{}: {}: {}", source.place, key, error.what()));
    }
  };
  return made;
}

#define PENCHANT_SETTING(key, member, help) \
  setting(                                  \
      key, help, [](Config & c) -> auto& { return c.member; })

TableSource& item_source(Config& config) {
  if (!config.ingest.item_table) config.ingest.item_table.emplace();
  return *config.ingest.item_table;
}

/// Of how the item table's text is written.
template <typename Access>
Setting item_text_setting(std::string key, std::string help, Access access) {
  return {key, std::move(help),
          [key, access](Config& config, const toml::node& node, const Source& source) {
            read_value(node, access(item_source(config).text), source, key);
          },
          [access](const Config& config) {
            const TableReadOptions defaults;
            return write_value(
                access(config.ingest.item_table ? config.ingest.item_table->text : defaults));
          }};
}

}  // namespace

const std::vector<Setting>& all_settings() {
  static const std::vector<Setting> settings = {
      PENCHANT_SETTING("data.out", data_out, "where ingest writes the data set"),
      PENCHANT_SETTING("data.format", ingest.format, "table, lightgcn, s3rec or recbole"),
      PENCHANT_SETTING("data.log", ingest.log.files,
                       "table: the log's files (CSV, TSV, packed or not, Parquet), folders or "
                       "patterns; with data.test those of the training part"),
      PENCHANT_SETTING("data.separator", ingest.log.text.separator,
                       "table: one character, \"tab\" or \"auto\""),
      PENCHANT_SETTING("data.quote", ingest.log.text.quote,
                       "table: character around cells, \"none\" (quotes are text) or \"auto\" "
                       "(found from the file)"),
      PENCHANT_SETTING("data.escape", ingest.log.text.escape,
                       "table: character that takes the meaning of the next one, \"none\" or "
                       "\"auto\" (a backslash within quotes, where the file has that)"),
      PENCHANT_SETTING("data.encoding", ingest.log.text.encoding,
                       "table: utf-8, latin-1 (ISO-8859-1) or windows-1252"),
      PENCHANT_SETTING("data.header", ingest.log.text.header,
                       "table: first line names the columns; false: columns are \"1\", \"2\", ..."),
      checked_setting(
          "data.time_format",
          "auto, s, ms, us, ns, iso8601, a strptime pattern, or order: no column, a user's rows "
          "are "
          "in order of time",
          [](Config & c) -> auto& { return c.ingest.time_format; },
          [](const std::string& format) { return TimeParser(format); }),
      checked_setting(
          "data.time_zone",
          "zone of times that name none: UTC, an offset such as +09:00 or a name as Europe/Berlin",
          [](Config & c) -> auto& { return c.ingest.time_zone; },
          [](const std::string& zone) { return TimeZone(zone); }),
      {"data.decimal", "decimal sign of numbers in text files: \".\" or \",\"",
       [](Config& c, const toml::node& node, const Source& source) {
         std::string text;
         read_value(node, text, source, "data.decimal");
         c.ingest.decimal = parse_decimal(text, fmt::format("{}: data.decimal", source.place));
       },
       [](const Config& c) { return write_value(c.ingest.decimal); }},
      PENCHANT_SETTING("data.missing", ingest.missing,
                       "spellings of a missing value besides the empty field"),
      PENCHANT_SETTING(
          "data.filters", ingest.filters,
          "rows to keep, as \"column op value\"; op: == != < <= > >= in not_in prefix not_prefix "
          "(lists with commas)"),
      PENCHANT_SETTING("data.repeats", ingest.repeats,
                       "repeated (user, item) rows: keep_all (but for rows equal in all), "
                       "keep_first, keep_last or sum"),
      PENCHANT_SETTING("data.min_user_count", ingest.min_user_count,
                       "k-core: fewest rows of a user"),
      PENCHANT_SETTING("data.min_item_count", ingest.min_item_count,
                       "k-core: fewest rows of an item"),
      PENCHANT_SETTING("data.max_user_count", ingest.max_user_count,
                       "keep only a user's latest rows; 0: all"),
      PENCHANT_SETTING(
          "data.drop_repeats", ingest.privacy.drop_repeats,
          "rows equal in all go whatever data.repeats says, and without times as well"),
      PENCHANT_SETTING("data.pseudonymise", ingest.privacy.pseudonymise,
                       "whose raw ids become pseudonyms while they are read: user, item, session "
                       "(docs/privacy.md)"),
      PENCHANT_SETTING(
          "data.pseudonym_key", ingest.privacy.pseudonym_key,
          "file with the key of the pseudonyms, 32 bytes or more, that its owner alone "
          "may read (penchant pseudonym --new-key)"),
      PENCHANT_SETTING(
          "data.time_resolution", ingest.privacy.time_resolution,
          "times are set to the start of their second, minute, hour, day or week (UTC; "
          "rows of the same time keep their order in the log), or stay exact"),
      PENCHANT_SETTING("data.min_value_users", ingest.privacy.min_value_users,
                       "values of categorical and list attributes that fewer users touched in "
                       "training rows become one, \"(rare)\"; 0: all stay"),
      PENCHANT_SETTING("data.same_user", ingest.privacy.same_user,
                       "table of people's many accounts, with the columns account and person"),
      PENCHANT_SETTING("data.strict", ingest.strict,
                       "a malformed row is an error instead of being counted"),
      PENCHANT_SETTING("data.train", ingest.train_files, "lightgcn: training files"),
      PENCHANT_SETTING("data.validation", ingest.validation_files,
                       "table, lightgcn: files of the validation part; none: carved out of train"),
      PENCHANT_SETTING("data.test", ingest.test_files, "table, lightgcn: files of the test part"),
      PENCHANT_SETTING("data.sequences", ingest.sequences_file, "s3rec: sequence file"),
      PENCHANT_SETTING("data.attributes_file", ingest.attributes_file, "s3rec: attribute JSON"),
      PENCHANT_SETTING("data.prefix", ingest.prefix,
                       "recbole: PREFIX of PREFIX.inter and PREFIX.item"),
      PENCHANT_SETTING("data.benchmark", ingest.benchmark,
                       "recbole: a split made before: names of train, validation and test (or of "
                       "train and test) in PREFIX.NAME.inter, as benchmark_filename"),
      PENCHANT_SETTING("data.columns.user", ingest.columns.user, "column of the user id"),
      PENCHANT_SETTING("data.columns.item", ingest.columns.item, "column of the item id"),
      PENCHANT_SETTING("data.columns.time", ingest.columns.time, "column of the time; empty: none"),
      PENCHANT_SETTING("data.columns.event", ingest.columns.event,
                       "column of the event type; empty: none"),
      PENCHANT_SETTING(
          "data.columns.weight", ingest.columns.weight,
          "column of a weight above 0, up to 1000000000; empty: none, each row counts 1"),
      PENCHANT_SETTING("data.columns.session", ingest.columns.session,
                       "column of the session or basket; empty: none"),
      PENCHANT_SETTING("data.columns.part", ingest.columns.part,
                       "column that says the part of a row; empty: none"),
      PENCHANT_SETTING("data.parts.train", ingest.part_words.train,
                       "words for the training part, in any case of letters"),
      PENCHANT_SETTING("data.parts.validation", ingest.part_words.validation,
                       "words for the validation part"),
      PENCHANT_SETTING("data.parts.test", ingest.part_words.test, "words for the test part"),
      {"data.items.table", "item table's files, folders or patterns",
       [](Config& c, const toml::node& node, const Source& source) {
         read_value(node, item_source(c).files, source, "data.items.table");
       },
       [](const Config& c) {
         return write_value(c.ingest.item_table ? c.ingest.item_table->files
                                                : std::vector<fs::path>{});
       },
       true},
      item_text_setting(
          "data.items.separator", "item table: as data.separator",
          [](auto& text) -> auto& { return text.separator; }),
      item_text_setting(
          "data.items.quote", "item table: as data.quote",
          [](auto& text) -> auto& { return text.quote; }),
      item_text_setting(
          "data.items.escape", "item table: as data.escape",
          [](auto& text) -> auto& { return text.escape; }),
      item_text_setting(
          "data.items.encoding", "item table: as data.encoding",
          [](auto& text) -> auto& { return text.encoding; }),
      PENCHANT_SETTING("data.items.only_listed", ingest.only_listed,
                       "rows of the log whose item has no row in the item table are left out and "
                       "counted"),
      PENCHANT_SETTING(
          "data.items.time", ingest.item_time,
          "item table: column of the time of a row, where properties change; an item's "
          "last row before the end of training counts; empty: its first row"),
      PENCHANT_SETTING("data.items.property", ingest.item_property,
                       "item table with a time and a row for each property: column of its name, as "
                       "in the column of [[data.attributes]]"),
      PENCHANT_SETTING("data.items.value", ingest.item_value,
                       "item table with a row for each property: column of its value"),
      PENCHANT_SETTING("data.items.filters", ingest.item_filters,
                       "item table: rows to keep, as in data.filters"),
      item_text_setting(
          "data.items.header", "item table: as data.header",
          [](auto& text) -> auto& { return text.header; }),
      PENCHANT_SETTING("data.items.key", ingest.item_column,
                       "item table: column of the item id; empty: as in the log"),
      PENCHANT_SETTING(
          "data.split.method", ingest.split_method,
          "auto, given, global_time, leave_one_out, leave_last_session, random_per_user or "
          "hidden_items (all rows of some items)"),
      PENCHANT_SETTING("data.split.validation_fraction", ingest.validation_fraction,
                       "of the rows left after test is taken"),
      PENCHANT_SETTING("data.split.test_fraction", ingest.test_fraction,
                       "of all rows, or of all items for hidden_items"),
      PENCHANT_SETTING("data.split.seed", ingest.seed, "seed of random splits"),
      PENCHANT_SETTING("data.split.overlap", ingest.overlap,
                       "given: a row of a part that also stands in an earlier one: drop (it is "
                       "counted) or error"),
      PENCHANT_SETTING("graph.user_item_weight", graph.user_item.weight,
                       "weight of an edge: ones, sum, log_sum or maximum of its rows"),
      PENCHANT_SETTING("graph.cooccurrence", graph.item.cooccurrence,
                       "link items that occur together (needs times or sessions)"),
      PENCHANT_SETTING("graph.cooccurrence_scope", graph.item.cooccurrence_options.scope,
                       "together in a session, or in a window of a user's events"),
      PENCHANT_SETTING("graph.cooccurrence_weighting", graph.item.cooccurrence_options.weight,
                       "raw, cosine or pmi"),
      PENCHANT_SETTING("graph.window", graph.item.cooccurrence_options.window,
                       "largest distance of two events in a window"),
      PENCHANT_SETTING("graph.top_k", graph.item.cooccurrence_options.top_k,
                       "neighbours kept per item"),
      PENCHANT_SETTING("graph.max_basket", graph.item.cooccurrence_options.max_basket,
                       "larger sessions are cut into pieces of this size"),
      PENCHANT_SETTING("graph.cooccurrence_weight", graph.item.cooccurrence_weight,
                       "weight of the relation in propagation"),
      PENCHANT_SETTING("graph.use_attributes", graph.item.all_attributes,
                       "link items through shared attribute values"),
      PENCHANT_SETTING("graph.attributes", graph.item.attributes,
                       "attributes to use; empty: every categorical and list attribute"),
      PENCHANT_SETTING("graph.attribute_weight", graph.item.attribute_weight,
                       "weight of each attribute relation in propagation"),
      PENCHANT_SETTING("graph.max_value_share", graph.item.max_value_share,
                       "values carried by a larger share of the items get no hub"),
      PENCHANT_SETTING("graph.relation_weight", graph.link_weight,
                       "weight in propagation of each kind of links between users "
                       "([[data.relations]]), or auto: chosen on the validation part"),
      PENCHANT_SETTING("partition.parts", partition.num_parts, "number of parts"),
      PENCHANT_SETTING("partition.method", partition.method, "metis, range, hash or random"),
      PENCHANT_SETTING("partition.imbalance", partition.imbalance,
                       "largest part over the average, allowed"),
      PENCHANT_SETTING("partition.seed", partition.seed, "seed of the partitioner"),
      PENCHANT_SETTING("model.out", model_out, "where train writes the model"),
      PENCHANT_SETTING(
          "model.kind", train.model.kind,
          "lightgcn, gcn, node_weighted, graph_filter, interest, private "
          "(docs/privacy_differential.md), or auto: filter, trained vectors "
          "or both, chosen on the validation part; lightgcn if it is not set and one that auto has "
          "no use for is, such as train.epochs"),
      PENCHANT_SETTING("model.embedding_dim", train.model.embedding_dim,
                       "width of the embeddings; private: 16 if it is not set"),
      PENCHANT_SETTING("model.num_layers", train.model.num_layers, "propagation layers"),
      PENCHANT_SETTING("model.activation", train.model.activation,
                       "gcn, node_weighted: identity, relu, leaky_relu, sigmoid or tanh"),
      PENCHANT_SETTING("model.loss", train.model.loss, "sampled_softmax or bpr"),
      PENCHANT_SETTING("model.temperature", train.model.temperature,
                       "sampled_softmax: divisor of the scores"),
      PENCHANT_SETTING("model.normalize", train.model.normalize,
                       "scores are cosines; embeddings have length 1"),
      PENCHANT_SETTING("model.new_item_columns", train.model.new_item_columns,
                       "lightgcn, gcn, node_weighted: columns behind the embedding that rank items "
                       "nobody has touched by their attributes; 0: none"),
      PENCHANT_SETTING(
          "model.own_share", train.model.own_share,
          "lightgcn: weight of a node's own embedding among the layers'; the paper's is 1"),
      PENCHANT_SETTING("model.sequence", train.model.interest.sequence,
                       "interest: encoder of a user's events: lstm, rnn, cnn or none"),
      PENCHANT_SETTING("model.hidden_dim", train.model.interest.hidden_dim,
                       "interest: width of the sequence encoder"),
      PENCHANT_SETTING("model.sequence_layers", train.model.interest.sequence_layers,
                       "interest: layers of the lstm or rnn"),
      PENCHANT_SETTING("model.cnn_widths", train.model.interest.cnn_widths,
                       "interest: events that the cnn's filters see"),
      PENCHANT_SETTING("model.max_length", train.model.interest.max_length,
                       "interest: latest events of a user that are looked at"),
      PENCHANT_SETTING("model.graph", train.model.interest.graph,
                       "interest: fuse the user's graph embedding with the sequence's"),
      PENCHANT_SETTING("model.item_graph", train.model.interest.item_graph,
                       "interest: propagate item vectors over the item graph"),
      PENCHANT_SETTING(
          "model.history_decay", train.model.interest.history_decay,
          "interest: weight of an event in the user's graph embedding, per later event"),
      PENCHANT_SETTING("model.dropout", train.model.interest.dropout,
                       "interest: share of inputs and hidden values dropped in training"),
      PENCHANT_SETTING("model.mlp_dims", train.model.interest.mlp_dims,
                       "interest: hidden widths of the fusion's perceptron"),
      PENCHANT_SETTING("model.layer_norm", train.model.interest.layer_norm,
                       "interest: layer normalisation in hidden layers"),
      PENCHANT_SETTING("model.ranking_head", train.model.interest.ranking_head,
                       "interest: learn P(interest | user, item) as well"),
      PENCHANT_SETTING("model.ranking_target", train.model.interest.ranking_target,
                       "interest: what the ranking head learns: interest, or rating (the weight of "
                       "an event)"),
      PENCHANT_SETTING("model.ranking_weight", train.model.interest.ranking_weight,
                       "interest: weight of the ranking head's loss"),
      PENCHANT_SETTING("model.initializer", train.model.initializer,
                       "spectral (smoothest signals of the graph) or normal"),
      PENCHANT_SETTING("model.initial_scale", train.model.initial_scale,
                       "standard deviation of the initial embeddings"),
      PENCHANT_SETTING("filter.kind", train.filter.kind,
                       "graph_filter: linear, gfcf, chebycf, bspm, ridge, or auto (of all but "
                       "linear and ridge); "
                       "auto, here and below, is chosen on the validation part"),
      PENCHANT_SETTING("filter.power", train.filter.power,
                       "power of item degrees around the filter, 0 to 1, or auto"),
      PENCHANT_SETTING("filter.rank", train.filter.rank,
                       "singular vectors of the low pass, or auto; linear has none, but "
                       "model.embedding_dim of them for its vectors; ridge has as many"),
      PENCHANT_SETTING("filter.low_pass", train.filter.low_pass,
                       "weight of the low pass beside the polynomial, or auto"),
      PENCHANT_SETTING("filter.order", train.filter.order,
                       "chebycf: degree of the polynomial, or auto"),
      PENCHANT_SETTING("filter.flatness", train.filter.flatness,
                       "chebycf: flatness of the plateau, or auto"),
      PENCHANT_SETTING("filter.sharpening", train.filter.sharpening,
                       "bspm: time of the sharpening, or auto"),
      PENCHANT_SETTING("filter.sharpening_steps", train.filter.sharpening_steps,
                       "bspm: Runge-Kutta steps in that time"),
      PENCHANT_SETTING("filter.ridge", train.filter.ridge,
                       "ridge: lambda, in squared weights of the graph, or auto"),
      PENCHANT_SETTING("filter.selection_users", train.filter.selection_users,
                       "users of the validation part that choices are made on; 0: all"),
      PENCHANT_SETTING("privacy.epsilon", train.privacy.epsilon,
                       "model.kind private: epsilon of this release, above 0; must be given"),
      PENCHANT_SETTING("privacy.delta", train.privacy.delta,
                       "delta of this release, above 0 and below 1 / users; must be given"),
      PENCHANT_SETTING("privacy.total_epsilon", train.privacy.total_epsilon,
                       "epsilon of all releases of the data set together; 0: as its ledger says, "
                       "and the first release allows its own and no more"),
      PENCHANT_SETTING("privacy.max_rows_per_user", train.privacy.max_rows_per_user,
                       "items of a user that count, drawn by a keyed hash"),
      PENCHANT_SETTING("privacy.head_items", train.privacy.head_items,
                       "most popular items, from which the directions of taste are learned"),
      PENCHANT_SETTING("privacy.rounds", train.privacy.rounds,
                       "of subspace iteration over the head items, each of which is a release"),
      PENCHANT_SETTING("privacy.item_power", train.privacy.item_power,
                       "an item counts popularity ^ -item_power in a user's row"),
      PENCHANT_SETTING("train.budget", train.budget,
                       "model.kind auto: time to plan for, such as 90s, 5m or 1h"),
      PENCHANT_SETTING("train.epochs", train.epochs, "passes over the training rows, at most"),
      PENCHANT_SETTING("train.batch_size", train.batch_size,
                       "positive pairs a step; 0: by the size of the data, 512 to 8192"),
      PENCHANT_SETTING("train.num_negatives", train.num_negatives,
                       "sampled_softmax: negatives shared by a batch"),
      PENCHANT_SETTING("train.negative_power", train.negative_power,
                       "negatives are drawn with probability ~ count ^ power"),
      PENCHANT_SETTING(
          "train.negative_correction", train.negative_correction,
          "sampled_softmax: share of the log-q correction, 0 to 1; 1 undoes negative_power"),
      PENCHANT_SETTING("train.learning_rate", train.learning_rate, "peak rate of Adam"),
      PENCHANT_SETTING("train.cosine_decay", train.cosine_decay,
                       "rate falls to 0 over the epochs along a cosine"),
      PENCHANT_SETTING("train.l2", train.l2, "L2 regularisation of all parameters"),
      PENCHANT_SETTING("train.validate_every", train.validate_every,
                       "epochs between validations; 0: never"),
      PENCHANT_SETTING("train.patience", train.patience,
                       "validations without improvement before stopping; 0: never stop early"),
      PENCHANT_SETTING("train.retry_lower_rate", train.retry_lower_rate,
                       "where validation is best in the first epochs: train again at a quarter of "
                       "the rate, twice at most, and take the best"),
      PENCHANT_SETTING("train.validation_metric", train.validation_metric,
                       "what validation maximises"),
      PENCHANT_SETTING("train.calibrate_popularity", train.calibrate_popularity,
                       "let validation choose a weight of log popularity in the scores"),
      PENCHANT_SETTING("train.blend_repeats", train.blend_repeats,
                       "where the data repeats: let validation choose what a user did with an item "
                       "before as a term of these scores"),
      PENCHANT_SETTING("train.blend_links", train.blend_links,
                       "where there are links between users: let validation choose what those had "
                       "whom a user is linked to as a term of the full score"),
      PENCHANT_SETTING("train.blend_filter", train.blend_filter,
                       "let validation choose a linear filter and its weight beside the vectors in "
                       "the full score"),
      PENCHANT_SETTING("train.distil", train.distil,
                       "where the budget allows: let the vectors learn the ranking of all that was "
                       "chosen, if validation likes it"),
      PENCHANT_SETTING("train.refit", train.refit,
                       "train again on train + validation for the chosen number of epochs"),
      PENCHANT_SETTING("train.checkpoint_every", train.checkpoint_every,
                       "epochs between checkpoints"),
      PENCHANT_SETTING("train.node_order", train.node_order,
                       "order of nodes in memory: none, degree or metis"),
      PENCHANT_SETTING("train.seed", train.seed, "seed of initial values and sampling"),
      PENCHANT_SETTING("evaluate.cutoffs", evaluate.cutoffs, "cut-offs K of the ranking metrics"),
      PENCHANT_SETTING("evaluate.seen_items", evaluate.seen_items,
                       "evaluate, recommend and report: items a user already has: mask, keep, or "
                       "auto (keep where 5 % of the held-out rows repeat some)"),
      PENCHANT_SETTING("evaluate.ranking", evaluate.ranking,
                       "evaluate, recommend, score and report: vectors (inner products of what "
                       "embed writes), or full (with the filter, repeats or mixture that the model "
                       "adds; evaluate shows both; recommend --history takes full unless this is "
                       "given)"),
      PENCHANT_SETTING("evaluate.rank_metrics", evaluate.rank_metrics,
                       "AUC, MRR and mean rank, a second pass over all scores"),
      PENCHANT_SETTING("embeddings.out", embeddings_out, "where embed writes"),
      PENCHANT_SETTING("embeddings.formats", embed_formats,
                       "list of npy, parquet, arrow, safetensors, fbin, jsonl, csv, pgcopy and "
                       "pgvector; both: npy and parquet"),
      PENCHANT_SETTING("embeddings.type", embed.type, "float32 or float16"),
      PENCHANT_SETTING("report.lookup_items", lookup.max_items,
                       "items in the page's look-up, half of them the most popular, the others "
                       "drawn at random, as many as find room (docs/bench.md); 0: none"),
      PENCHANT_SETTING("report.lookup_users", lookup.max_users,
                       "users in the page's look-up, likewise; 0: none"),
      PENCHANT_SETTING("run.device", backend.device, "auto, cpu or cuda"),
      PENCHANT_SETTING("run.device_index", backend.device_index,
                       "which GPU, in the driver's order; as --device cuda:1"),
      PENCHANT_SETTING("run.threads", backend.num_threads, "0: all cores"),
  };
  return settings;
}

#undef PENCHANT_SETTING

}  // namespace penchant::pipeline
