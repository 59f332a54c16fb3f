#include "client/trainer/count_questions.h"

#include <chrono>

#include "client/data/questions.h"
#include "common/base/text.h"

namespace tutti::trainer {

StatusOr<v1::CountReply> CountForQuestions(const v1::CountRequest& request) {
  if (request.values() != 0) {
    return InvalidArgument(Join("the request states ", request.values(),
                                " weights, a job that analyses has no model"));
  }
  const auto start = std::chrono::steady_clock::now();
  TUTTI_ASSIGN(const data::QuestionCounts answered,
               data::AnswerQuestions(request.data(), request.task()));
  v1::CountReply reply;
  for (const std::uint64_t count : answered.counts) reply.add_counts(count);
  reply.set_examples(answered.rows);
  reply.set_seconds(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  return reply;
}

}  // namespace tutti::trainer
