//! The fake libraries refuse what the real ones refuse: otherwise nothing else here means much.
#![allow(
    unsafe_code,
    reason = "the bindings are C; every pointer is to a live local, every handle is made just before"
)]

use crate::process::on_device;
use cudarc::cudnn::sys as cudnn;
use cudarc::driver::sys::{self as cuda, CUresult};
use cudnn::cudnnBackendAttributeName_t as Attribute;
use cudnn::cudnnBackendAttributeType_t as Type;
use cudnn::cudnnBackendDescriptorType_t as Kind;
use cudnn::cudnnStatus_t as Status;
use std::ffi::c_void;
use std::ptr::null_mut;

/// Makes the first device's context current and a stream on it.
unsafe fn stream() -> cuda::CUstream {
    let (mut context, mut stream) = (null_mut(), null_mut());
    // SAFETY: As the module says.
    unsafe {
        assert_eq!(cuda::cuInit(0), CUresult::CUDA_SUCCESS);
        assert_eq!(cuda::cuDevicePrimaryCtxRetain(&mut context, 0), CUresult::CUDA_SUCCESS);
        assert_eq!(cuda::cuCtxSetCurrent(context), CUresult::CUDA_SUCCESS);
        assert_eq!(cuda::cuStreamCreate(&mut stream, 1), CUresult::CUDA_SUCCESS);
    }
    stream
}

/// Destroys them.
unsafe fn end(stream: cuda::CUstream) {
    // SAFETY: As the module says.
    unsafe {
        assert_eq!(cuda::cuStreamDestroy_v2(stream), CUresult::CUDA_SUCCESS);
        assert_eq!(cuda::cuDevicePrimaryCtxRelease_v2(0), CUresult::CUDA_SUCCESS);
    }
}

#[test]
fn allocating_and_waiting_break_a_capture() {
    on_device(&[], |device| {
        let (mut address, mut graph) = (0, null_mut());
        let mode = cuda::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        // SAFETY: As the module says.
        unsafe {
            let stream = stream();
            for forbidden in 0..2 {
                assert_eq!(cuda::cuStreamBeginCapture_v2(stream, mode), CUresult::CUDA_SUCCESS);
                let result = match forbidden {
                    0 => cuda::cuMemAlloc_v2(&mut address, 64),
                    _ => cuda::cuStreamSynchronize(stream),
                };
                assert_eq!(result, CUresult::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
                let ended = cuda::cuStreamEndCapture(stream, &mut graph);
                assert_eq!((ended, graph.is_null()), (CUresult::CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, true));
            }
            end(stream);
        }
        assert_eq!(device.counted("forbidden in capture"), 2);
    });
}

#[test]
fn copies_do_not_wait_and_do_not_leave_their_allocation() {
    on_device(&[], |device| {
        let mut address = 0;
        let mut bytes = [7_u8; 65];
        let to = bytes.as_mut_ptr().cast::<c_void>();
        // SAFETY: As the module says; the copies that are too long are refused before anything is copied.
        unsafe {
            let stream = stream();
            assert_eq!(cuda::cuMemAlloc_v2(&mut address, 64), CUresult::CUDA_SUCCESS);
            assert_eq!(cuda::cuMemcpyDtoH_v2(to, address, 65), CUresult::CUDA_ERROR_INVALID_VALUE);
            assert_eq!(device.forgive().as_deref(), Some("cuMemcpyDtoH of 65 bytes leaves its allocation"));
            assert_eq!(cuda::cuMemsetD8Async(address, 9, 64, stream), CUresult::CUDA_SUCCESS);
            assert_eq!(cuda::cuMemcpyDtoH_v2(to, address, 64), CUresult::CUDA_SUCCESS);
            assert_eq!(device.forgive().as_deref(), Some("cuMemcpyDtoH while queued work still uses the memory"));
            assert_eq!(bytes[0], 0, "what was queued has not run");
            assert_eq!(cuda::cuStreamSynchronize(stream), CUresult::CUDA_SUCCESS);
            assert_eq!(cuda::cuMemcpyDtoH_v2(to, address, 64), CUresult::CUDA_SUCCESS);
            assert_eq!((bytes[0], bytes[63], bytes[64]), (9, 9, 7));
            assert_eq!(cuda::cuMemFree_v2(address), CUresult::CUDA_SUCCESS);
            end(stream);
        }
    });
}

/// Sets one attribute.
unsafe fn set<T>(of: cudnn::cudnnBackendDescriptor_t, name: Attribute, as_type: Type, values: &[T]) -> Status {
    // SAFETY: As the module says.
    unsafe { cudnn::cudnnBackendSetAttribute(of, name, as_type, values.len() as i64, values.as_ptr().cast()) }
}

#[test]
fn descriptors_are_complete_typed_and_final() {
    // The bindings look for cuDNN where the loader does.
    let variables =
        crate::process::fakes().map(|fakes| format!("{}:{}", fakes.driver.display(), fakes.others.display()));
    on_device(&[("LD_LIBRARY_PATH", variables.as_deref().unwrap_or_default())], |_| {
        let (mut tensor, mut count) = (null_mut(), 0);
        // SAFETY: As the module says.
        unsafe {
            let stream = stream();
            cudnn::cudnnBackendCreateDescriptor(Kind::CUDNN_BACKEND_TENSOR_DESCRIPTOR, &mut tensor);
            let int = Type::CUDNN_TYPE_INT64;
            assert_eq!(set(tensor, Attribute::CUDNN_ATTR_TENSOR_UNIQUE_ID, int, &[1_i64]) as u32, 0);
            let wrong = set(tensor, Attribute::CUDNN_ATTR_TENSOR_DATA_TYPE, int, &[0_i64]);
            assert_eq!(wrong, Status::CUDNN_STATUS_BAD_PARAM_ATTRIBUTE_TYPE);
            let alien = set(tensor, Attribute::CUDNN_ATTR_ENGINEHEUR_MODE, Type::CUDNN_TYPE_HEUR_MODE, &[0_u32]);
            assert_eq!(alien, Status::CUDNN_STATUS_BAD_PARAM);
            assert_eq!(cudnn::cudnnBackendFinalize(tensor), Status::CUDNN_STATUS_BAD_PARAM, "it has no sizes");
            let name = Attribute::CUDNN_ATTR_TENSOR_DIMENSIONS;
            let early = cudnn::cudnnBackendGetAttribute(tensor, name, int, 0, &mut count, null_mut());
            assert_eq!(early, Status::CUDNN_STATUS_BAD_PARAM_NOT_FINALIZED);
            set(tensor, Attribute::CUDNN_ATTR_TENSOR_DATA_TYPE, Type::CUDNN_TYPE_DATA_TYPE, &[0_u32]);
            set(tensor, name, int, &[1_i64, 2, 3, 4]);
            set(tensor, Attribute::CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int, &[16_i64]);
            set(tensor, Attribute::CUDNN_ATTR_TENSOR_STRIDES, int, &[24_i64, 12, 4]);
            assert_eq!(cudnn::cudnnBackendFinalize(tensor), Status::CUDNN_STATUS_BAD_PARAM, "a stride is missing");
            set(tensor, Attribute::CUDNN_ATTR_TENSOR_STRIDES, int, &[24_i64, 12, 4, 1]);
            assert_eq!(cudnn::cudnnBackendFinalize(tensor), Status::CUDNN_STATUS_SUCCESS);
            let late = set(tensor, Attribute::CUDNN_ATTR_TENSOR_UNIQUE_ID, int, &[2_i64]);
            assert_eq!(late, Status::CUDNN_STATUS_BAD_PARAM);
            cudnn::cudnnBackendDestroyDescriptor(tensor);
            end(stream);
        }
    });
}
