//! DeepFilterNet3 from the archive its authors published: `enc.onnx`, `erb_dec.onnx`, `df_dec.onnx`
//! and `config.ini`. The exporter numbered the tensors that it folded into others; the numbers here
//! are those of that one archive, and every shape is checked.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::onnx::{self, OnnxTensor};
use super::tar;
use crate::error::LoadError;
use crate::speech::deep_filter_net_tensors::{RECURRENT, tensors};
use crate::weights::Stored;

/// Settings that our description takes for granted.
const SETTINGS: [(&str, &str, &str); 12] = [
    ("train", "model", "deepfilternet3"),
    ("df", "sr", "48000"),
    ("df", "fft_size", "960"),
    ("df", "hop_size", "480"),
    ("df", "nb_erb", "32"),
    ("df", "nb_df", "96"),
    ("df", "norm_tau", "1"),
    ("df", "min_nb_erb_freqs", "2"),
    ("df", "df_order", "5"),
    ("df", "df_lookahead", "2"),
    ("deepfilternet", "conv_lookahead", "2"),
    ("deepfilternet", "mask_pf", "False"),
];

/// Files of the archive, and the tensors in each: our name and the file's.
const FILES: [(&str, &[(&str, &str)]); 3] = [
    (
        "enc.onnx",
        &[
            ("enc.erb_conv0.weight", "onnx::Conv_282"),
            ("enc.erb_conv0.bias", "onnx::Conv_283"),
            ("enc.erb_conv1.separate.weight", "erb_conv1.0.weight"),
            ("enc.erb_conv1.weight", "onnx::Conv_285"),
            ("enc.erb_conv1.bias", "onnx::Conv_286"),
            ("enc.erb_conv2.separate.weight", "erb_conv2.0.weight"),
            ("enc.erb_conv2.weight", "onnx::Conv_288"),
            ("enc.erb_conv2.bias", "onnx::Conv_289"),
            ("enc.erb_conv3.separate.weight", "erb_conv3.0.weight"),
            ("enc.erb_conv3.weight", "onnx::Conv_291"),
            ("enc.erb_conv3.bias", "onnx::Conv_292"),
            ("enc.df_conv0.separate.weight", "df_conv0.1.weight"),
            ("enc.df_conv0.weight", "onnx::Conv_294"),
            ("enc.df_conv0.bias", "onnx::Conv_295"),
            ("enc.df_conv1.separate.weight", "df_conv1.0.weight"),
            ("enc.df_conv1.weight", "onnx::Conv_297"),
            ("enc.df_conv1.bias", "onnx::Conv_298"),
            ("enc.df_fc_emb.weight", "df_fc_emb.0.weight"),
            ("enc.emb_gru.linear_in.weight", "emb_gru.linear_in.0.weight"),
            ("enc.emb_gru.0.weight_ih", "/emb_gru/Constant_3_output_0"),
            ("enc.emb_gru.0.weight_hh", "/emb_gru/Constant_4_output_0"),
            ("enc.emb_gru.0.bias", "/emb_gru/Constant_5_output_0"),
            ("enc.emb_gru.linear_out.weight", "emb_gru.linear_out.0.weight"),
            ("enc.lsnr_fc.weight", "onnx::MatMul_337"),
            ("enc.lsnr_fc.bias", "lsnr_fc.0.bias"),
        ],
    ),
    (
        "erb_dec.onnx",
        &[
            ("erb_dec.emb_gru.linear_in.weight", "emb_gru.linear_in.0.weight"),
            ("erb_dec.emb_gru.0.weight_ih", "/emb_gru/Constant_3_output_0"),
            ("erb_dec.emb_gru.0.weight_hh", "/emb_gru/Constant_4_output_0"),
            ("erb_dec.emb_gru.0.bias", "/emb_gru/Constant_5_output_0"),
            ("erb_dec.emb_gru.1.weight_ih", "/emb_gru/Constant_9_output_0"),
            ("erb_dec.emb_gru.1.weight_hh", "/emb_gru/Constant_10_output_0"),
            ("erb_dec.emb_gru.1.bias", "/emb_gru/Constant_11_output_0"),
            ("erb_dec.emb_gru.linear_out.weight", "emb_gru.linear_out.0.weight"),
            ("erb_dec.conv3p.weight", "onnx::Conv_288"),
            ("erb_dec.conv3p.bias", "onnx::Conv_289"),
            ("erb_dec.convt3.separate.weight", "convt3.0.weight"),
            ("erb_dec.convt3.weight", "onnx::Conv_291"),
            ("erb_dec.convt3.bias", "onnx::Conv_292"),
            ("erb_dec.conv2p.weight", "onnx::Conv_294"),
            ("erb_dec.conv2p.bias", "onnx::Conv_295"),
            ("erb_dec.convt2.separate.weight", "convt2.0.weight"),
            ("erb_dec.convt2.weight", "onnx::Conv_297"),
            ("erb_dec.convt2.bias", "onnx::Conv_298"),
            ("erb_dec.conv1p.weight", "onnx::Conv_300"),
            ("erb_dec.conv1p.bias", "onnx::Conv_301"),
            ("erb_dec.convt1.separate.weight", "convt1.0.weight"),
            ("erb_dec.convt1.weight", "onnx::Conv_303"),
            ("erb_dec.convt1.bias", "onnx::Conv_304"),
            ("erb_dec.conv0p.weight", "onnx::Conv_306"),
            ("erb_dec.conv0p.bias", "onnx::Conv_307"),
            ("erb_dec.conv0_out.weight", "onnx::Conv_309"),
            ("erb_dec.conv0_out.bias", "onnx::Conv_310"),
        ],
    ),
    (
        "df_dec.onnx",
        &[
            ("df_dec.df_gru.linear_in.weight", "df_gru.linear_in.0.weight"),
            ("df_dec.df_gru.0.weight_ih", "onnx::GRU_291"),
            ("df_dec.df_gru.0.weight_hh", "onnx::GRU_292"),
            ("df_dec.df_gru.0.bias", "onnx::GRU_293"),
            ("df_dec.df_gru.1.weight_ih", "onnx::GRU_311"),
            ("df_dec.df_gru.1.weight_hh", "onnx::GRU_312"),
            ("df_dec.df_gru.1.bias", "onnx::GRU_313"),
            ("df_dec.df_skip.weight", "df_skip.weight"),
            ("df_dec.df_out.weight", "df_out.0.weight"),
            ("df_dec.df_convp.separate.weight", "df_convp.1.weight"),
            ("df_dec.df_convp.weight", "onnx::Conv_268"),
            ("df_dec.df_convp.bias", "onnx::Conv_269"),
        ],
    ),
];

/// Converts the archive.
pub(crate) fn convert(archive: &[u8]) -> Result<Vec<Stored>, LoadError> {
    let archive = tar::unpack(archive)?;
    check_settings(tar::member(&archive, "config.ini")?)?;
    let mut found = BTreeMap::new();
    for (file, names) in FILES {
        let all = onnx::tensors(tar::member(&archive, file)?)?;
        for (ours, theirs) in names {
            let tensor = all.get(theirs).ok_or_else(|| {
                LoadError::damaged(format!("{file} of DeepFilterNet has no tensor {theirs}"))
            })?;
            take(&mut found, ours, tensor);
        }
    }
    tensors()
        .into_iter()
        .map(|(name, shape)| {
            let values = found
                .remove(&name)
                .filter(|values| values.len() == shape.iter().product::<usize>());
            let values = values.ok_or_else(|| {
                LoadError::damaged(format!("{name} of DeepFilterNet has another shape"))
            })?;
            let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            Ok(Stored { name, dtype: Dtype::F32, shape, bytes })
        })
        .collect()
}

/// Files a tensor under our name; those of a recurrent layer have their gates in another order, and
/// both biases in one.
fn take(found: &mut BTreeMap<String, Vec<f32>>, name: &str, tensor: &OnnxTensor<'_>) {
    let values = tensor.values();
    let part = RECURRENT.iter().find_map(|layer| name.strip_prefix(layer)?.strip_prefix('.'));
    match part {
        None => {
            found.insert(name.to_owned(), values);
        }
        Some("bias") => {
            let (of_input, of_state) = values.split_at(values.len() / 2);
            found.insert(format!("{name}_ih"), in_our_order(of_input));
            found.insert(format!("{name}_hh"), in_our_order(of_state));
        }
        Some(_) => {
            found.insert(name.to_owned(), in_our_order(&values));
        }
    }
}

/// ONNX has the gates of a recurrent unit as update, reset, candidate; PyTorch the reset first.
fn in_our_order(gates: &[f32]) -> Vec<f32> {
    let gate = gates.len() / 3;
    [&gates[gate..2 * gate], &gates[..gate], &gates[2 * gate..]].concat()
}

fn check_settings(text: &[u8]) -> Result<(), LoadError> {
    let text = std::str::from_utf8(text)
        .map_err(|_| LoadError::damaged("DeepFilterNet's settings are not text"))?;
    let mut section = "";
    let mut found = BTreeMap::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some((key, value)) = line.split_once('=') {
            found.insert((section, key.trim()), value.trim());
        }
    }
    match SETTINGS.iter().find(|(section, key, value)| found.get(&(*section, *key)) != Some(value))
    {
        None => Ok(()),
        Some((_, key, value)) => Err(LoadError::unsupported(format!(
            "this is another DeepFilterNet than the one this program knows: {key} is not {value}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::onnx::tests::file;
    use crate::convert::tar::tests::pack;

    fn config() -> String {
        let line = |(section, key, value): &(&str, &str, &str)| {
            format!("[{section}]\nother = 1\n{key} = {value}\n")
        };
        SETTINGS.iter().map(line).collect()
    }

    /// An archive of the right shapes whose values count up.
    fn archive(config: &str, leave_out: Option<&str>) -> Vec<u8> {
        let shapes: BTreeMap<String, Vec<usize>> = tensors().into_iter().collect();
        let files = FILES.map(|(_, names)| {
            let tensors: Vec<(&str, Vec<usize>, Vec<f32>)> = names
                .iter()
                .filter(|(_, theirs)| Some(*theirs) != leave_out)
                .map(|(ours, theirs)| {
                    let shape = shapes.get(*ours).cloned().unwrap_or_else(|| vec![1, 1536]);
                    let count = shape.iter().product::<usize>();
                    (*theirs, shape, (0..count).map(|i| i as f32).collect())
                })
                .collect();
            let parts: Vec<_> =
                tensors.iter().map(|(name, s, v)| (*name, &s[..], &v[..])).collect();
            file(&parts)
        });
        pack(&[
            ("tmp/config.ini", config.as_bytes()),
            ("tmp/enc.onnx", &files[0]),
            ("tmp/erb_dec.onnx", &files[1]),
            ("tmp/df_dec.onnx", &files[2]),
        ])
    }

    #[test]
    fn every_tensor_is_taken_and_gates_are_reordered() {
        let stored = convert(&archive(&config(), None)).unwrap();
        assert_eq!(stored.len(), tensors().len());
        let first = |name: &str| {
            let tensor = stored.iter().find(|tensor| tensor.name == name).unwrap();
            f32::from_le_bytes(*tensor.bytes.first_chunk().unwrap())
        };
        assert_eq!(first("enc.erb_conv1.weight"), 0.0);
        assert_eq!(first("erb_dec.emb_gru.1.weight_hh"), 65536.0);
        assert_eq!(first("df_dec.df_gru.0.bias_ih"), 256.0);
        assert_eq!(first("df_dec.df_gru.0.bias_hh"), 768.0 + 256.0);
    }

    #[test]
    fn another_network_is_refused_in_words() {
        let message = |archive: &[u8]| convert(archive).unwrap_err().to_string();
        let other = config().replace("= 960", "= 512");
        assert!(message(&archive(&other, None)).contains("fft_size is not 960"));
        assert!(message(&archive(&config(), Some("onnx::Conv_309"))).contains("onnx::Conv_309"));
        assert!(message(b"no archive").contains("unpacked"));
        assert!(message(&pack(&[("config.ini", config().as_bytes())])).contains("enc.onnx"));
    }
}
