/* session_regroup: a session goes on with fewer ranks. See session.h.
 *
 * What a start does, but for what cannot have changed: device, model, data set and configuration
 * are as they were. The lanes of those that died are read by others; a hash of all lanes tells
 * whether they are the same images, as at a resume. */
#include "lockstep/session.h"

/* Collective, agreed. */
static Status compare_images(Session *session) {
    Input *input = &session->input;
    uint64_t train = input->hash, test = input->test_hash;
    Status status = ST_OK;
    TRY(input_hash(input, session->ranks.comm));
    if (input->hash != train || input->test_hash != test)
        status = FAIL(ST_DATA,
                      "%s does not hold the images any more that the run began with; "
                      "start the run again with them",
                      input->dataset.path);
    input->hash = train; /* another attempt compares too */
    input->test_hash = test;
    return comm_agree(session->ranks.comm, status);
}

Status session_regroup(Session *session, const EngineState *state) {
    Ranks *ranks = &session->ranks;
    ranks_follow(ranks);
    engine_close(&session->engine);
    TRY(session_open_data_plane(session));
    session_set_threads(session);
    TRY(comm_agree(ranks->comm,
                   input_read_again(&session->input, session->config, ranks->rank, ranks->size)));
    TRY(compare_images(session));
    TRY(session_plan(session, session->config->out));
    TRY(comm_agree(ranks->comm, engine_state_put(&session->engine, state)));
    return input_report(&session->input, ranks->comm);
}
