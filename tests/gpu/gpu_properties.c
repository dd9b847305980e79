/* gpu_properties: what cuDNN says of a real GPU, and whether check-plans plans for the same. It
 * prints:
 *
 *   gpu_properties count               how many GPUs there are; code 5 and one line why if none
 *   gpu_properties name INDEX          its name
 *   gpu_properties dump INDEX          the properties of one, in the form of plans/gpus/sm_NN.json
 *   gpu_properties sm INDEX            its architecture: sm_90
 *   gpu_properties peak INDEX P        its peak in GFLOP/s, dense, at its highest clock; P: fp32,
 *                                      tf32, bf16
 *   gpu_properties compare OURS REAL   each value that differs; code 1 where one does
 *
 * What differs from card to card of one model, or with the driver, is not compared. */
#include <cJSON.h>
#include <cuda_runtime_api.h>
#include <cudnn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lockstep/status.h"

enum { PROPERTIES_MAX = 65536 };

/* Clocks, memory, identity, driver. */
static const char *const not_compared[] = {"pciDeviceId",  "smClockRateKHz", "memClockRateKHz",
                                           "isTccDriver",  "driverVer",      "totalGlobalMem",
                                           "cudaDeviceId", "deviceName"};

static Status check_cuda(cudaError_t error, const char *call) {
    return error == cudaSuccess ? ST_OK
                                : FAIL(ST_DEVICE, "%s: %s", call, cudaGetErrorString(error));
}

static Status check_cudnn(cudnnStatus_t result, const char *call) {
    return result == CUDNN_STATUS_SUCCESS
               ? ST_OK
               : FAIL(ST_DEVICE, "%s: %s", call, cudnnGetErrorString(result));
}

#define TRY_CUDA(call)  TRY(check_cuda((call), #call))
#define TRY_CUDNN(call) TRY(check_cudnn((call), #call))

static Status count(int *n) {
    int driver = 0;
    *n = 0;
    cudaDriverGetVersion(&driver);
    if (driver == 0)
        return FAIL(ST_DEVICE, "this machine has no NVIDIA driver");
    TRY_CUDA(cudaGetDeviceCount(n));
    return *n > 0 ? ST_OK : FAIL(ST_DEVICE, "the driver sees no GPU");
}

static Status architecture(int index, int *sm) {
    int major = 0, minor = 0;
    TRY_CUDA(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, index));
    TRY_CUDA(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, index));
    *sm = 10 * major + minor;
    return ST_OK;
}

/* Operations of one processor in one cycle, from NVIDIA's data sheets: peak / processors / clock.
 */
typedef struct Rate {
    int sm;
    double fp32, tf32, bf16;
} Rate;

static const Rate rates[] = {{80, 128, 1024, 2048}, {86, 256, 256, 512},    {89, 256, 512, 1024},
                             {90, 256, 2048, 4096}, {100, 256, 4096, 8192}, {120, 256, 256, 512}};

static Status print_peak(int index, const char *precision) {
    int sm, processors = 0, clock_khz = 0;
    TRY(architecture(index, &sm));
    TRY_CUDA(cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, index));
    TRY_CUDA(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, index));
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const Rate *rate = &rates[i];
        if (rate->sm != sm)
            continue;
        double each = strcmp(precision, "bf16") == 0   ? rate->bf16
                      : strcmp(precision, "tf32") == 0 ? rate->tf32
                                                       : rate->fp32;
        printf("%.0f\n", 1e-6 * each * processors * clock_khz);
        return ST_OK;
    }
    return FAIL(ST_DEVICE, "no peak is known for sm_%d", sm);
}

static Status print_name(int index) {
    struct cudaDeviceProp properties;
    TRY_CUDA(cudaGetDeviceProperties(&properties, index));
    printf("%s\n", properties.name);
    return ST_OK;
}

static Status print_sm(int index) {
    int sm;
    TRY(architecture(index, &sm));
    printf("sm_%d\n", sm);
    return ST_OK;
}

/* One value a line, as the files in tests/plans/gpus have them. */
static Status print_json(const char *text) {
    cJSON *json = cJSON_Parse(text);
    if (!json)
        return FAIL(ST_DEVICE, "cuDNN's description of the GPU is no JSON: %.200s", text);
    printf("{\n");
    for (const cJSON *item = json->child; item; item = item->next) {
        char *value = cJSON_PrintUnformatted(item);
        printf("    \"%s\": %s%s\n", item->string, value ? value : "null", item->next ? "," : "");
        cJSON_free(value);
    }
    printf("}\n");
    cJSON_Delete(json);
    return ST_OK;
}

static Status dump(int index) {
    static char text[PROPERTIES_MAX];
    cudnnBackendDescriptor_t device = NULL;
    int32_t id = index;
    int64_t bytes = 0;
    TRY_CUDNN(cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &device));
    TRY_CUDNN(cudnnBackendSetAttribute(device, CUDNN_ATTR_DEVICEPROP_DEVICE_ID, CUDNN_TYPE_INT32, 1,
                                       &id));
    TRY_CUDNN(cudnnBackendFinalize(device));
    TRY_CUDNN(cudnnBackendGetAttribute(device, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION,
                                       CUDNN_TYPE_CHAR, PROPERTIES_MAX - 1, &bytes, text));
    cudnnBackendDestroyDescriptor(device);
    return print_json(text);
}

static Status read_json(const char *path, cJSON **json) {
    static char text[PROPERTIES_MAX];
    FILE *file = fopen(path, "r");
    if (!file)
        return FAIL(ST_USAGE, "%s cannot be read", path);
    text[fread(text, 1, PROPERTIES_MAX - 1, file)] = '\0';
    fclose(file);
    *json = cJSON_Parse(text);
    return *json ? ST_OK : FAIL(ST_USAGE, "%s is no JSON", path);
}

static bool is_compared(const char *key) {
    for (size_t i = 0; i < sizeof not_compared / sizeof *not_compared; i++) {
        if (strcmp(key, not_compared[i]) == 0)
            return false;
    }
    return true;
}

static void print_value(const char *label, const cJSON *item) {
    char *value = item ? cJSON_PrintUnformatted(item) : NULL;
    printf(" %s %s", label, value ? value : "nothing");
    cJSON_free(value);
}

static int print_difference(const char *key, const cJSON *ours, const cJSON *real) {
    if (!is_compared(key) || (ours && real && cJSON_Compare(ours, real, true)))
        return 0;
    printf("%s:", key);
    print_value("planned for", ours);
    print_value("but the card has", real);
    printf("\n");
    return 1;
}

static Status compare(const char *ours_path, const char *real_path, int *differences) {
    cJSON *ours = NULL, *real = NULL;
    Status status = ST_OK;
    TRY_DONE(read_json(ours_path, &ours));
    TRY_DONE(read_json(real_path, &real));
    for (const cJSON *item = ours->child; item; item = item->next)
        *differences += print_difference(item->string, item,
                                         cJSON_GetObjectItemCaseSensitive(real, item->string));
    for (const cJSON *item = real->child; item; item = item->next) {
        if (!cJSON_GetObjectItemCaseSensitive(ours, item->string))
            *differences += print_difference(item->string, NULL, item);
    }
done:
    cJSON_Delete(ours);
    cJSON_Delete(real);
    return status;
}

int main(int argc, char **argv) {
    const char *what = argc > 1 ? argv[1] : "";
    int n = 0, differences = 0;
    Status status;
    if (argc == 2 && strcmp(what, "count") == 0)
        status = count(&n);
    else if (argc == 3 && strcmp(what, "name") == 0)
        status = print_name(atoi(argv[2]));
    else if (argc == 3 && strcmp(what, "dump") == 0)
        status = dump(atoi(argv[2]));
    else if (argc == 3 && strcmp(what, "sm") == 0)
        status = print_sm(atoi(argv[2]));
    else if (argc == 4 && strcmp(what, "peak") == 0)
        status = print_peak(atoi(argv[2]), argv[3]);
    else if (argc == 4 && strcmp(what, "compare") == 0)
        status = compare(argv[2], argv[3], &differences);
    else
        status =
            FAIL(ST_USAGE, "usage: gpu_properties count | name INDEX | dump INDEX | sm INDEX | "
                           "peak INDEX PRECISION | compare OURS REAL");
    if (status != ST_OK)
        fprintf(stderr, "%s\n", status_message());
    else if (n > 0)
        printf("%d\n", n);
    return status != ST_OK ? (int)status : differences > 0;
}
