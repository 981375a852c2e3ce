"""The convolution graphs of torchvision's ResNet-50, VGG-16, MobileNetV2, DenseNet-121 and GoogLeNet as ONNX
files, with random weights (He) as an exporter leaves them: norms folded except where DenseNet normalizes first."""
import numpy as np, onnx, sys, zlib
from onnx import helper as h, numpy_helper as nh, TensorProto as T

class G:
    def __init__(s, name):
        s.name, s.nodes, s.init, s.n = name, [], [], 0
        s.rng = np.random.default_rng(zlib.crc32(name.encode()))
    def op(s, kind, ins, **a):
        s.n += 1
        out = f"t{s.n}"
        s.nodes.append(h.make_node(kind, ins, [out], name=f"{kind}_{s.n}", **a))
        return out
    def const(s, name, v):
        s.init.append(nh.from_array(np.asarray(v, np.float32), name)); return name
    def conv(s, x, name, ci, co, k=1, st=1, p=None, g=1, bias=True, relu="Relu"):
        p = (k-1)//2 if p is None else p
        # every channel has a strength of its own, so that channels of one layer differ, as in a trained network
        w = s.rng.standard_normal((co, ci//g, k, k)) * (2/(ci//g*k*k))**.5 * s.rng.lognormal(0, .5, (co,1,1,1))
        ins = [x, s.const(name+".weight", w)] + ([s.const(name+".bias", np.zeros(co))] if bias else [])
        y = s.op("Conv", ins, kernel_shape=[k,k], strides=[st,st], pads=[p]*4, group=g)
        return s.act(y, relu)
    def act(s, y, kind):
        if kind == "Relu": return s.op("Relu", [y])
        if kind == "Clip":
            if not any(i.name=="c0" for i in s.init):
                s.const("c0", 0.); s.const("c6", 6.)
            return s.op("Clip", [y, "c0", "c6"])
        return y
    def bn(s, x, name, c):
        ins = [x] + [s.const(f"{name}.{p}", v) for p, v in (("weight", s.rng.lognormal(0,.3,c)), ("bias", np.zeros(c)), ("running_mean", np.zeros(c)), ("running_var", np.ones(c)))]
        return s.op("Relu", [s.op("BatchNormalization", ins)])
    def pool(s, x, k, st, p=0, ceil=0):
        return s.op("MaxPool", [x], kernel_shape=[k,k], strides=[st,st], pads=[p]*4, ceil_mode=ceil)
    def fc(s, x, name, ci, co, relu=None):
        ins = [x, s.const(name+".weight", s.rng.standard_normal((co,ci))*(2/ci)**.5), s.const(name+".bias", np.zeros(co))]
        return s.act(s.op("Gemm", ins, transB=1), relu)
    def head(s, x, c, flat=False):
        x = s.op("GlobalAveragePool", [x]); x = s.op("Flatten", [x], axis=1)
        s.save(s.fc(x, "classifier", c, 1000))
    def save(s, y):
        s.nodes[-1].output[0] = "output"
        g = h.make_graph(s.nodes, s.name, [h.make_tensor_value_info("input", T.FLOAT, ["batch",3,224,224])],
                         [h.make_tensor_value_info("output", T.FLOAT, ["batch",1000])], s.init)
        m = h.make_model(g, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(m); onnx.save(m, f"{sys.argv[1]}/{s.name}.onnx")

def resnet50():
    g = G("resnet50"); x = g.pool(g.conv("input","conv1",3,64,7,2),3,2,1); c = 64
    for st,(n,w) in enumerate(zip((3,4,6,3),(64,128,256,512))):
        for b in range(n):
            s = 2 if b==0 and st else 1; p=f"layer{st+1}.{b}"
            y = g.conv(x,p+".conv1",c,w); y = g.conv(y,p+".conv2",w,w,3,s); y = g.conv(y,p+".conv3",w,4*w,relu=None)
            d = g.conv(x,p+".downsample",c,4*w,1,s,relu=None) if b==0 else x
            x = g.act(g.op("Add",[y,d]),"Relu"); c = 4*w
    g.head(x,c)
def vgg16():
    g = G("vgg16"); x="input"; c=3; i=0
    for w,n in ((64,2),(128,2),(256,3),(512,3),(512,3)):
        for _ in range(n): x=g.conv(x,f"features.{i}",c,w,3); c=w; i+=1
        x=g.pool(x,2,2)
    x=g.op("Flatten",[x],axis=1); x=g.fc(x,"fc1",512*49,4096,"Relu"); x=g.fc(x,"fc2",4096,4096,"Relu"); g.save(g.fc(x,"fc3",4096,1000))
def mobilenet():
    g=G("mobilenet_v2"); x=g.conv("input","features.0",3,32,3,2,relu="Clip"); c=32; i=1
    for t,w,n,s in ((1,16,1,1),(6,24,2,2),(6,32,3,2),(6,64,4,2),(6,96,3,1),(6,160,3,2),(6,320,1,1)):
        for b in range(n):
            st=s if b==0 else 1; p=f"features.{i}"; i+=1; hid=c*t
            y=g.conv(x,p+".expand",c,hid,relu="Clip") if t>1 else x
            y=g.conv(y,p+".dw",hid,hid,3,st,g=hid,relu="Clip"); y=g.conv(y,p+".project",hid,w,relu=None)
            x=g.op("Add",[x,y]) if st==1 and c==w else y; c=w
    x=g.conv(x,"features.18",c,1280,relu="Clip"); g.head(x,1280)
def densenet121():
    g=G("densenet121"); x=g.pool(g.conv("input","conv0",3,64,7,2),3,2,1); c=64
    for b,n in enumerate((6,12,24,16)):
        xs=[x]
        for l in range(n):
            p=f"block{b+1}.layer{l+1}"
            y=g.op("Concat",xs,axis=1) if len(xs)>1 else xs[0]
            y=g.bn(y,p+".norm1",c); y=g.conv(y,p+".conv1",c,128); y=g.conv(y,p+".conv2",128,32,3,bias=False,relu=None)
            xs.append(y); c+=32
        x=g.op("Concat",xs,axis=1)
        x=g.bn(x,f"norm.{b+1}",c)
        if b<3:
            x=g.conv(x,f"transition{b+1}.conv",c,c//2,bias=False,relu=None); c//=2
            x=g.op("AveragePool",[x],kernel_shape=[2,2],strides=[2,2])
    g.head(x,c)
def googlenet():
    g=G("googlenet"); x=g.pool(g.conv("input","conv1",3,64,7,2),3,2,0,1); x=g.conv(x,"conv2",64,64); x=g.conv(x,"conv3",64,192,3); x=g.pool(x,3,2,0,1); c=192
    def inc(x,c,n,a,b1,b2,c1,c2,d):
        y=[g.conv(x,f"i{n}.b1",c,a), g.conv(g.conv(x,f"i{n}.b2r",c,b1),f"i{n}.b2",b1,b2,3),
           g.conv(g.conv(x,f"i{n}.b3r",c,c1),f"i{n}.b3",c1,c2,3), g.conv(g.pool(x,3,1,1),f"i{n}.b4",c,d)]
        return g.op("Concat",y,axis=1), a+b2+c2+d
    blocks = (("3a",(64,96,128,16,32,32)),("3b",(128,128,192,32,96,64)),("p",()),("4a",(192,96,208,16,48,64)),
              ("4b",(160,112,224,24,64,64)),("4c",(128,128,256,24,64,64)),("4d",(112,144,288,32,64,64)),
              ("4e",(256,160,320,32,128,128)),("q",()),("5a",(256,160,320,32,128,128)),("5b",(384,192,384,48,128,128)))
    for n,a in blocks:
        if n=="p": x=g.pool(x,3,2,0,1)
        elif n=="q": x=g.pool(x,2,2,0,1)
        else: x,c=inc(x,c,n,*a)
    g.head(x,c)
for f in (resnet50,vgg16,mobilenet,densenet121,googlenet): f()
