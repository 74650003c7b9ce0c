"""What Scipion sees of the plugin before anything runs: protocols, tree, forms, messages."""

from __future__ import annotations

import glob
import os
import unittest
from unittest import mock

from pupicker.tests.scipion import scipion_environment  # noqa: F401  (before pyworkflow is imported)

import pwem  # isort: skip
import pyworkflow as pw  # isort: skip
from PIL import Image  # isort: skip
from pyworkflow.gui.project.viewprotocols_extra import ProtocolTreeConfig  # isort: skip
from pyworkflow.protocol import params  # isort: skip
from pyworkflow.wizard import DESKTOP_TKINTER  # isort: skip

import pupicker.protocols  # isort: skip
from pupicker import Plugin  # isort: skip
from pupicker.constants import (  # isort: skip
    AUTOENCODER_AUTO, AUTOENCODER_GIVEN, CUT_COUNTS, CUT_FRACTIONS, CUT_MODEL, CUT_PROBABILITIES, NETWORK_CHOICES,
    NETWORK_DEFAULT, NETWORK_OTHER, NORM_CHOICES, PSEUDO_LABELS,
)
from pupicker.shared.choices import GENERAL_NETWORKS  # isort: skip
from pupicker.objects import PuPickerModel  # isort: skip
from pupicker.protocols import (  # isort: skip
    ProtPuPickerBaseline, ProtPuPickerCrossValidate, ProtPuPickerImportModel, ProtPuPickerLive, ProtPuPickerPick,
    ProtPuPickerPreprocess, ProtPuPickerThreshold, ProtPuPickerTrain,
)

PROTOCOLS = tuple(getattr(pupicker.protocols, name) for name in pupicker.protocols.__all__)


class TestDiscovery(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.domain = pw.Config.getDomain()
        cls.domain.getProtocols()  # tells the classes their package

    def testPluginIsFound(self):
        plugin = self.domain.getPlugins()["pupicker"]
        self.assertIs(plugin, pupicker)
        self.assertEqual(plugin._pluginInstance.getName(), "pupicker")
        self.assertEqual(plugin._pluginInstance.getPath(), os.path.dirname(pupicker.__file__))
        self.assertEqual(ProtPuPickerTrain.getClassLabel(), "pupicker - train")

    def testReferences(self):
        for protocol in PROTOCOLS:
            for key in set(protocol()._citations()) | set(pupicker._references):
                self.assertIn(key, pupicker._bibtex)

    def testProtocolsAndObjectAreOurs(self):
        """A name that another plugin has too would be dropped."""
        found = self.domain.getProtocols()
        for protocol in PROTOCOLS:
            self.assertIs(found[protocol.__name__], protocol)
            self.assertTrue(protocol.__name__.startswith("ProtPuPicker"))
        self.assertIs(self.domain.getObjects()["PuPickerModel"], PuPickerModel)

    def testBasesAreNoProtocols(self):
        """They are classes of the plugin's folder of protocols, too: Scipion must neither find nor show them."""
        found = self.domain.getProtocols()
        bases = {base for protocol in PROTOCOLS for base in protocol.mro()
                 if base.__module__.startswith("pupicker") and base not in PROTOCOLS}
        self.assertIn("ProtPuPickerPickingBase", {base.__name__ for base in bases})
        for base in bases:
            self.assertNotIn(base.__name__, found)
            self.assertIsNone(getattr(base, "_label", None), base.__name__)
        for protocol in PROTOCOLS:
            self.assertFalse(protocol.isBase())
            self.assertEqual([other.__name__ for other in PROTOCOLS if protocol is not other
                              and issubclass(protocol, other)], [], protocol.__name__)

    def testWizardsOfEachForm(self):
        """A wizard that cannot work is not offered."""
        common = {"diameter"}
        prior = {"priorMode", "particlesPerMicrograph", "classPrior"}
        for protocol, fields in ((ProtPuPickerTrain, common | prior), (ProtPuPickerCrossValidate, common | prior),
                                 (ProtPuPickerPick, {"thresholdMode", "threshold", "minDistance", "libraryModel"}),
                                 (ProtPuPickerBaseline, common), (ProtPuPickerLive, common),
                                 (ProtPuPickerPreprocess, common)):
            wizards = self.domain.findWizards(protocol(), DESKTOP_TKINTER)
            self.assertEqual({name for name, wizard in wizards.items() if "PuPicker" in wizard.__name__}, fields,
                             protocol.__name__)

    def testTreeEntryUnderPicking(self):
        conf = os.path.join(os.path.dirname(pwem.__file__), "protocols.conf")
        tree = ProtocolTreeConfig.load(self.domain, conf)["Protocols SPA"]
        (particles,) = (child for child in tree.childs if child.text == "Particles")
        (picking,) = (child for child in particles.childs if child.text == "Picking")
        entries = [child.value for child in picking.childs]
        for protocol in PROTOCOLS:
            self.assertEqual(entries.count(protocol.__name__), 1, protocol.__name__)

    def testOnlyPickingAndTrainingTakeASetThatGrows(self):
        self.assertEqual({p for p in PROTOCOLS if p.worksInStreaming()},
                         {ProtPuPickerBaseline, ProtPuPickerCrossValidate, ProtPuPickerLive, ProtPuPickerPick,
                          ProtPuPickerTrain})

    def testLogoIsAnImage(self):
        path = ProtPuPickerTrain.getPluginLogoPath()
        with Image.open(path) as image:
            self.assertEqual(image.format, "PNG")
            self.assertEqual(image.size[0], image.size[1])


class TestForms(unittest.TestCase):

    def testEveryFieldHasLabelAndHelp(self):
        for protocol in PROTOCOLS:
            for name, param in protocol().getDefinition().iterAllParams():
                if isinstance(param, (params.Line, params.Group)) or param.condition.get() == "False":  # hidden
                    continue
                where = f"{protocol.__name__}.{name}"
                if name not in ("useGpu", "gpuList"):  # Scipion labels these itself
                    self.assertTrue(param.getLabel(), where)
                if name not in ("runName", "runMode", "hostName"):
                    self.assertTrue((param.getHelp() or "").strip(), where)

    def testSimpleFieldsComeFirst(self):
        """Within a section, but for fields that show and hide others: Scipion wants them before those."""
        for protocol in PROTOCOLS:
            for section in protocol().getDefinition().iterSections():
                expert = None
                for name, param in section.iterParams():
                    if param._dependants or param.condition.get() == "False":
                        continue
                    if param.isExpert():
                        expert = name
                    else:
                        self.assertIsNone(expert, f"{protocol.__name__}.{name} stands behind the expert's {expert}")

    def testNumbersStateTheirUnit(self):
        units = ("Å", "px", "degrees", "0 to", "updates", "seed", "secs", "batch size", "threads", "per micrograph",
                 "(score)", "parts", "pickers", "labels", "micrographs", "scale")
        for protocol in PROTOCOLS:
            for name, param in protocol().getDefinition().iterAllParams():
                if isinstance(param, (params.FloatParam, params.IntParam)) \
                        and not isinstance(param, (params.EnumParam, params.BooleanParam)):
                    label = param.getLabel().lower()
                    self.assertTrue(any(unit.lower() in label for unit in units), f"{name}: {label}")

    def testPseudoLabelsOfTheGeneralModelNeedANetworkThatHasOne(self):
        weights = glob.glob(os.path.join(os.path.dirname(pupicker.__file__), "weights", "*.safetensors"))
        known = {os.path.splitext(os.path.basename(path))[0] for path in weights}
        self.assertEqual(set(GENERAL_NETWORKS), known)
        for k, name in enumerate(NETWORK_CHOICES):
            if k != NETWORK_OTHER:
                run = ProtPuPickerTrain(network=k, trainFrom=PSEUDO_LABELS.index("general"))
                self.assertEqual(run._validatePseudoLabels() == [], name in known, name)
                run.trainFrom.set(PSEUDO_LABELS.index("template"))
                self.assertEqual(run._validatePseudoLabels(), [])

    def testNetworkFieldsAreOptionsOfTheCommandLine(self):
        """What the form says is understood by the command and by the networks; defaults say nothing."""
        from pupicker.commands.main import build_parser
        from pupicker.commands.parsing.training_arguments import check, network_settings
        from pupicker.core.networks import DEFAULT_NETWORK, NETWORKS, build

        def arguments(**fields):
            run = ProtPuPickerTrain(**fields)
            self.assertEqual(run._validateNetwork(), [])
            parsed = build_parser().parse_args(
                ["train", "mics", "--picks", "p.star", "--diameter", "100", "--output", "m.pupicker",
                 *run._networkArguments()])
            check(parsed)
            return parsed

        self.assertEqual(ProtPuPickerTrain()._networkArguments(), [])
        self.assertEqual(arguments().weight_decay, ProtPuPickerTrain().weightDecay.get())
        own = [index for index in range(len(NETWORK_CHOICES)) if index != NETWORK_OTHER]
        self.assertEqual({NETWORK_CHOICES[index] for index in own}, set(NETWORKS))
        self.assertEqual(NETWORK_CHOICES[NETWORK_DEFAULT], DEFAULT_NETWORK)
        for network in own:
            for norm in range(len(NORM_CHOICES)):
                parsed = arguments(network=network, norm=norm, dropout=0.25, ringNegatives=True)
                built = build(parsed.network, **network_settings(parsed))
                self.assertEqual(built.settings.get("norm", "batch"), NORM_CHOICES[norm])
                self.assertEqual((built.settings["dropout"], parsed.ring_negatives), (0.25, True))
        self.assertEqual(arguments(autoencoder=AUTOENCODER_AUTO).autoencoder, "auto")
        self.assertEqual(arguments(autoencoder=AUTOENCODER_GIVEN, autoencoderWeight=0.5).autoencoder, 0.5)
        parsed = arguments(network=NETWORK_OTHER, networkName=" tiny ", networkSettings="channels=3  kind=thin")
        self.assertEqual(parsed.network, "tiny")
        self.assertEqual(network_settings(parsed), {"channels": 3, "kind": "thin"})

    def testNetworkFieldsThatCannotBe(self):
        for fields, words in (
            ({"network": NETWORK_OTHER}, "Name of the network"),
            ({"network": NETWORK_OTHER, "networkName": "tiny", "networkSettings": "channels = 3"}, "NAME=VALUE"),
            ({"dropout": 1.0}, "Dropout"), ({"weightDecay": -1.0}, "Weight decay"),
            ({"autoencoder": AUTOENCODER_GIVEN, "autoencoderWeight": 11.0}, "autoencoder"),
        ):
            (message,) = ProtPuPickerTrain(**fields)._validateNetwork()
            self.assertIn(words, message)

    def testEveryProtocolExplainsItself(self):
        for protocol in PROTOCOLS:
            self.assertGreater(len(protocol.getDoc().split()), 20, protocol.__name__)
            self.assertTrue(protocol._label)

    def testCpuNeedsNoGpuSlot(self):
        for protocol in (ProtPuPickerTrain, ProtPuPickerPick):
            run = protocol()
            run.gpuList.set("0,2")
            run.useGpu.set(False)
            self.assertEqual(run.getGpuList(), [])
            run.useGpu.set(True)
            self.assertEqual(run.getGpuList(), [0, 2])
            self.assertFalse(run.requiresGpu())


class TestMessages(unittest.TestCase):

    def assertMessage(self, protocol, expected):
        messages = [message for message in protocol._validate() if expected in message]
        self.assertEqual(len(messages), 1, protocol._validate())

    def testTrain(self):
        run = ProtPuPickerTrain(diameter=150)
        self.assertEqual(run._validate(), [])
        for name, value, expected in (
                ("diameter", -1, "Particle diameter"), ("diameter", None, "Particle diameter"),
                ("validationFraction", 1.0, "Validation fraction"), ("updates", -5, "Updates"),
                ("workingPixelSize", -1, "Working pixel size"), ("seed", -1, "seed")):
            run = ProtPuPickerTrain(diameter=150)
            getattr(run, name).set(value)
            self.assertMessage(run, expected)

    def testTrainPriorIsCheckedWhereItIsUsed(self):
        self.assertEqual(ProtPuPickerTrain(diameter=150, priorMode=0, classPrior=7)._validate(), [])
        self.assertMessage(ProtPuPickerTrain(diameter=150, priorMode=1, classPrior=7), "Share of the area")
        self.assertMessage(ProtPuPickerTrain(diameter=150, priorMode=2, particlesPerMicrograph=0), "per micrograph")

    def testPick(self):
        self.assertEqual(ProtPuPickerPick()._validate(), [])
        self.assertMessage(ProtPuPickerPick(boxSize=33), "even number")
        self.assertMessage(ProtPuPickerPick(minDistance=-4), "Minimum distance")
        self.assertMessage(ProtPuPickerPick(binThreads=0), "Threads")

    def testIdleGpusAreAnnounced(self):
        run = ProtPuPickerPick(useGpu=True, gpuList="0-2", numberOfThreads=2)
        (warning,) = run._warnings()
        self.assertIn("2 of the 3 GPUs", warning)
        run.numberOfThreads.set(4)
        for there, expected in ((True, []), (False, ["There is no GPU on this machine"])):
            with mock.patch.object(Plugin, "hasGpu", return_value=there):
                self.assertEqual([text.split(":")[0] for text in run._warnings()], expected)

    def testImportModel(self):
        self.assertMessage(ProtPuPickerImportModel(), "choose the model file")
        self.assertMessage(ProtPuPickerImportModel(modelPath="/nowhere/a.pupicker"), "/nowhere/a.pupicker")

    def testThreshold(self):
        self.assertEqual(ProtPuPickerThreshold()._validate(), [])
        for values, expected in (
                ({"scores": "3 one"}, "one was found"), ({"scores": " , "}, "Scores"), ({"scores": "nan"}, "Scores"),
                ({"mode": CUT_COUNTS, "counts": "10 0"}, "0 was found"),
                ({"mode": CUT_COUNTS, "counts": "2.5"}, "whole numbers"),
                ({"mode": CUT_COUNTS, "counts": " ".join(map(str, range(1, 90)))}, "at most 50"),
                ({"mode": CUT_FRACTIONS, "fractions": "0"}, "0 was found"),
                ({"mode": CUT_FRACTIONS, "fractions": "25"}, "at most 1"),
                ({"mode": CUT_PROBABILITIES, "probabilities": "-0.1"}, "from 0 to 1"),
                ({"mode": CUT_MODEL}, "Picking model")):
            self.assertMessage(ProtPuPickerThreshold(**values), expected)

    def testThresholdAnnouncesItsOutputs(self):
        run = ProtPuPickerThreshold(scores="4 2;1, 0")
        self.assertEqual([name for name, _ in run.iterOutputAttributes(includePossible=True)],
                         ["outputCoordinates1", "outputCoordinates2", "outputCoordinates3", "outputCoordinates4"])

    def testSummariesBeforeTheRun(self):
        for protocol in PROTOCOLS:
            self.assertIn("yet", protocol().summary()[0])


class TestModelObject(unittest.TestCase):
    INFO = {"diameter_ang": 150.0, "working_pixel_size_ang": 5.0, "box_size_ang": 225.0, "min_distance_ang": 75.0,
            "class_prior": 0.04, "objective": "ge-binomial", "network": "conv31", "labels": 120,
            "schema_version": 1, "validation": {"average_precision": 0.934, "best_updates": 700},
            "suggested_threshold": -0.5, "software": {"pupicker": "1.0.0"}}

    def testEmpty(self):
        self.assertEqual(str(PuPickerModel()), "PuPickerModel")
        self.assertFalse(PuPickerModel().exists())

    def testInfo(self):
        model = PuPickerModel("Runs/1/extra/model.pupicker")
        model.setInfo(self.INFO)
        self.assertEqual(str(model), "PuPickerModel (150 Å, 5.00 Å/px, AP 0.93)")
        self.assertEqual(model.getFiles(), {"Runs/1/extra/model.pupicker"})
        self.assertEqual(model.getSuggestedThreshold(), -0.5)
        self.assertEqual(len(model.getSummary()), 5)
        self.assertIn(": network conv31; unlabelled places hold as many particles as expected (ge-binomial)",
                      model.getSummary()[1])

    def testSummaryNamesTheStart(self):
        for start, words in (("general", "the general model"), ("random", "random weights"),
                             ("a/b.pupicker", "earlier model")):
            model = PuPickerModel("model.pupicker")
            model.setInfo(dict(self.INFO, start=start))
            self.assertIn("network conv31, start from ", model.getSummary()[1])
            self.assertIn(words, model.getSummary()[1])

    def testWithoutValidation(self):
        model = PuPickerModel("model.pupicker")
        model.setInfo(dict(self.INFO, validation=None, suggested_threshold=None))
        self.assertEqual(str(model), "PuPickerModel (150 Å, 5.00 Å/px)")
        self.assertEqual(len(model.getSummary()), 3)

    def testWarningsAreInTheSummary(self):
        model = PuPickerModel("model.pupicker")
        model.setInfo(dict(self.INFO, crowding="too many", doubt="few are right"))
        self.assertEqual(model.getSummary()[-2:], ["*Warning*: too many", "*Warning*: few are right"])

    def testBoxIsEvenAtAnyPixelSize(self):
        model = PuPickerModel("model.pupicker")
        model.setInfo(self.INFO)
        for samplingRate in (0.45, 1.0, 1.77, 3.3, 7.08):
            box = model.getBoxSizePx(samplingRate)
            self.assertEqual(box % 2, 0)
            self.assertLessEqual(abs(box * samplingRate - 225), samplingRate)
        self.assertEqual(model.getBoxSizePx(1000.0), 2)
