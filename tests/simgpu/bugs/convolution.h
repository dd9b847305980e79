/* convolution: a convolution with cuDNN's backend descriptors, as small as can be, for planted
 * bugs. */
#ifndef SIMGPU_BUG_CUDNN_H
#define SIMGPU_BUG_CUDNN_H

#include <cudnn.h>

#include "bug.h"

#define CUDNN(call)                                                                                \
    do {                                                                                           \
        cudnnStatus_t status_ = (call);                                                            \
        if (status_ != CUDNN_STATUS_SUCCESS) {                                                     \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, cudnnGetErrorString(status_));      \
            exit(5);                                                                               \
        }                                                                                          \
    } while (0)

typedef cudnnBackendDescriptor_t Desc;

static inline Desc desc_new(cudnnBackendDescriptorType_t type) {
    Desc desc;
    CUDNN(cudnnBackendCreateDescriptor(type, &desc));
    return desc;
}

static inline void set_desc(Desc desc, cudnnBackendAttributeName_t name, Desc value) {
    CUDNN(cudnnBackendSetAttribute(desc, name, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &value));
}

static inline void set_ints(Desc desc, cudnnBackendAttributeName_t name, int count,
                            const int64_t *values) {
    CUDNN(cudnnBackendSetAttribute(desc, name, CUDNN_TYPE_INT64, count, values));
}

/* An NHWC tensor of floats; not finalized. */
static inline Desc tensor_new(int64_t uid, int64_t n, int64_t c, int64_t h, int64_t w) {
    const int64_t dim[] = {n, c, h, w}, stride[] = {c * h * w, 1, w * c, c}, alignment = 16;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    Desc desc = desc_new(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    CUDNN(cudnnBackendSetAttribute(desc, CUDNN_ATTR_TENSOR_DATA_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
                                   &type));
    set_ints(desc, CUDNN_ATTR_TENSOR_DIMENSIONS, 4, dim);
    set_ints(desc, CUDNN_ATTR_TENSOR_STRIDES, 4, stride);
    set_ints(desc, CUDNN_ATTR_TENSOR_UNIQUE_ID, 1, &uid);
    set_ints(desc, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 1, &alignment);
    return desc;
}

/* What goes wrong in a convolution of 1 x 4 x 5 x 5 with 2 filters of 3 x 3. */
typedef enum Mistake {
    NO_MISTAKE,
    SAME_ID,
    WRONG_SHAPE,
    SET_AFTER_FINALIZE,
    NOT_FINALIZED,
    NO_POINTER,
    NO_WORKSPACE,
    SMALL_OUTPUT,
    MISALIGNED,
    OVERLAP,
    DESTROYED,
    LEFT_BEHIND,
    OLD_WORKSPACE,
    WORKSPACE_OVERLAP
} Mistake;

typedef struct Conv {
    Desc x, w, y, geometry, op, graph, heuristics, config[3], plan, pack;
    int configs;
    int64_t workspace;
} Conv;

static inline Desc conv_geometry(void) {
    const int64_t one[] = {1, 1}, two = 2;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    Desc desc = desc_new(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    CUDNN(cudnnBackendSetAttribute(desc, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_TYPE_DATA_TYPE, 1,
                                   &type));
    CUDNN(cudnnBackendSetAttribute(desc, CUDNN_ATTR_CONVOLUTION_CONV_MODE,
                                   CUDNN_TYPE_CONVOLUTION_MODE, 1, &mode));
    set_ints(desc, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 1, &two);
    set_ints(desc, CUDNN_ATTR_CONVOLUTION_DILATIONS, 2, one);
    set_ints(desc, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, 2, one);
    set_ints(desc, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, 2, one);
    set_ints(desc, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, 2, one);
    CUDNN(cudnnBackendFinalize(desc));
    return desc;
}

static inline void conv_describe(Conv *conv, Mistake mistake) {
    const float alpha = 1, beta = 0;
    const int64_t uid = 9;
    conv->x = tensor_new(1, 1, 4, 5, 5);
    conv->w = tensor_new(mistake == SAME_ID ? 1 : 2, 2, 4, 3, 3);
    conv->y = tensor_new(3, 1, 2, 5, mistake == WRONG_SHAPE ? 4 : 5);
    CUDNN(cudnnBackendFinalize(conv->x));
    CUDNN(cudnnBackendFinalize(conv->w));
    if (mistake != NOT_FINALIZED)
        CUDNN(cudnnBackendFinalize(conv->y));
    if (mistake == SET_AFTER_FINALIZE)
        set_ints(conv->x, CUDNN_ATTR_TENSOR_UNIQUE_ID, 1, &uid);
    conv->geometry = conv_geometry();
    conv->op = desc_new(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    set_desc(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, conv->geometry);
    set_desc(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, conv->x);
    set_desc(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, conv->w);
    set_desc(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, conv->y);
    CUDNN(cudnnBackendSetAttribute(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
                                   CUDNN_TYPE_FLOAT, 1, &alpha));
    CUDNN(cudnnBackendSetAttribute(conv->op, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA,
                                   CUDNN_TYPE_FLOAT, 1, &beta));
    CUDNN(cudnnBackendFinalize(conv->op));
}

/* Takes the third engine that the heuristics give: in the simulator the one with a workspace. */
static inline void conv_plan(Conv *conv, cudnnHandle_t handle) {
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    int64_t count = 0;
    conv->graph = desc_new(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    CUDNN(cudnnBackendSetAttribute(conv->graph, CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE,
                                   1, &handle));
    set_desc(conv->graph, CUDNN_ATTR_OPERATIONGRAPH_OPS, conv->op);
    CUDNN(cudnnBackendFinalize(conv->graph));
    conv->heuristics = desc_new(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    set_desc(conv->heuristics, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, conv->graph);
    CUDNN(cudnnBackendSetAttribute(conv->heuristics, CUDNN_ATTR_ENGINEHEUR_MODE,
                                   CUDNN_TYPE_HEUR_MODE, 1, &mode));
    CUDNN(cudnnBackendFinalize(conv->heuristics));
    for (conv->configs = 0; conv->configs < 3; conv->configs++)
        conv->config[conv->configs] = desc_new(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    CUDNN(cudnnBackendGetAttribute(conv->heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                   CUDNN_TYPE_BACKEND_DESCRIPTOR, 3, &count, conv->config));
    conv->plan = desc_new(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    CUDNN(cudnnBackendSetAttribute(conv->plan, CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE,
                                   1, &handle));
    set_desc(conv->plan, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, conv->config[2]);
    CUDNN(cudnnBackendFinalize(conv->plan));
    CUDNN(cudnnBackendGetAttribute(conv->plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                   CUDNN_TYPE_INT64, 1, &count, &conv->workspace));
}

static inline void conv_run(Conv *conv, cudnnHandle_t handle, Mistake mistake) {
    const int64_t ids[] = {1, 2, 3};
    float *x = new_floats(100), *w = new_floats(72);
    float *y = new_floats(mistake == SMALL_OUTPUT ? 48 : 54), *room = new_floats(conv->workspace);
    void *at[] = {mistake == MISALIGNED ? x + 1 : x, w, mistake == OVERLAP ? x + 4 : y};
    void *workspace = mistake == NO_WORKSPACE ? NULL : mistake == WORKSPACE_OVERLAP ? y : room;
    conv->pack = desc_new(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    int count = mistake == NO_POINTER ? 2 : 3;
    set_ints(conv->pack, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, count, ids);
    CUDNN(cudnnBackendSetAttribute(conv->pack, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS,
                                   CUDNN_TYPE_VOID_PTR, count, at));
    CUDNN(cudnnBackendSetAttribute(conv->pack, CUDNN_ATTR_VARIANT_PACK_WORKSPACE,
                                   CUDNN_TYPE_VOID_PTR, 1, &workspace));
    CUDNN(cudnnBackendFinalize(conv->pack));
    if (mistake == DESTROYED)
        CUDNN(cudnnBackendDestroyDescriptor(conv->plan));
    CUDNN(cudnnBackendExecute(handle, conv->plan, conv->pack));
    float host[50];
    CUDA(cudaMemcpy(host, y, sizeof host, cudaMemcpyDeviceToHost));
    EXPECT(host[0] == 0 && host[49] == 0);
    if (mistake == OLD_WORKSPACE)
        CUDA(cudaMemcpy(host, room, sizeof host, cudaMemcpyDeviceToHost));
    CUDA(cudaFree(x));
    CUDA(cudaFree(w));
    CUDA(cudaFree(y));
    CUDA(cudaFree(room));
}

static inline int convolve(Mistake mistake) {
    Conv conv;
    cudnnHandle_t handle;
    CUDNN(cudnnCreate(&handle));
    conv_describe(&conv, mistake);
    conv_plan(&conv, handle);
    conv_run(&conv, handle, mistake);
    Desc all[] = {conv.x,         conv.w,         conv.y,          conv.geometry,
                  conv.op,        conv.graph,     conv.heuristics, conv.config[0],
                  conv.config[1], conv.config[2], conv.plan,       conv.pack};
    for (size_t i = mistake == LEFT_BEHIND ? 1 : 0; i < sizeof all / sizeof *all; i++)
        CUDNN(cudnnBackendDestroyDescriptor(all[i]));
    CUDNN(cudnnDestroy(handle));
    return 0;
}

#endif
