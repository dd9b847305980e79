/* host: what devices share whose memory is the host's and whose streams execute in the calling
 * thread: mostly members of their DeviceOps. Local. */
#ifndef LOCKSTEP_HOST_H
#define LOCKSTEP_HOST_H

#include "lockstep/device.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ST_USAGE where `options` ask for what the device does not do. `bf16`: it computes in that, too.
 */
Status host_accepts(const DeviceOptions *options, bool bf16);

Status host_alloc(Device *device, size_t bytes, void **memory);
void host_release(Device *device, void *memory);
Status host_upload(Stream *stream, void *device_memory, const void *host, size_t bytes);
Status host_download(Stream *stream, void *host, const void *device_memory, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
