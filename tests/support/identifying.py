"""Properties and elements that may say whose tissue a slide shows, by vendor, each list with its public source.

For tests: none of them may be in a container that is made without ``keep_identifiers``. The package itself has the
opposite list, of what may stay, so that names which are not here stay out as well.
"""

from __future__ import annotations

KNOWN: dict[str, tuple[str, tuple[str, ...]]] = {
    "aperio": (
        (
            "openslide.org/formats/aperio (ImageDescription as aperio.*); DigitalSlideArchive/ImageDePHI "
            "imagedephi/base_rules.yaml, svs.image_description; DigitalSlideArchive/DSA-WSI-DeID wsi_deid/process.py"
        ),
        (
            *("ScanScope ID", "Filename", "Date", "Time", "Time Zone", "User", "DSR ID", "ImageID", "SessonMode"),
            *("SessionMode", "Title", "Parmset", "Converter", "ConverterEpoch", "CompressedFile", "Rack", "Slide"),
            *("Accession", "Copyright", "Patient", "Scanner ID", "Webslide Files", "Scan Warning", "Barcode"),
            *("Rack Tag", "Slide Tag", "CustomField.Behavior_Code", "CustomField.Date_of_Birth_mmddyyyy"),
            *("CustomField.First_Name", "CustomField.Last_Name", "CustomField.Histology_Code", "CustomField.ImageID"),
            *("CustomField.InputFileName", "CustomField.LabelText", "CustomField.PatientID", "CustomField.Proc_Seq"),
            *("CustomField.Proc_Type", "CustomField.Registry", "CustomField.SampleID", "CustomField.Slide_ID"),
            *("CustomField.Spec_Site", "CustomField.SurgPathNum", "CustomField.TokenID"),
            "CustomField.Tumor_Rec_Number",
        ),
    ),
    "motic": (
        (
            "EMPAIA wsi-anon CHANGELOG 0.4.16: Motic writes Aperio's ImageDescription; OpenSlide takes it for "
            "generic TIFF, so that it is in openslide.comment and tiff.ImageDescription as a whole"
        ),
        ("Filename", "Date", "Time", "User", "Barcode", "ScanScope ID"),
    ),
    "hamamatsu": (
        (
            "openslide.org/formats/hamamatsu (NDPI tags 65427 and 65449, VMS and VMU keys); DSA-WSI-DeID "
            "wsi_deid/process.py; EMPAIA wsi-anon CHANGELOG 0.4.18; tifffile NDPI_TAGS 65427 Reference, 65468 barcode"
        ),
        (
            *("Reference", "Created", "Updated", "AuthCode", "NDP.S/N", "Macro.S/N", "Barcode", "SlideLabel"),
            *("MacroImage", "ImageFile", "ImageFile(1,0)", "MapFile", "OptimisationFile", "UserLabel", "Serial"),
        ),
    ),
    "leica": (
        "openslide.org/formats/leica (collection/barcode, image/creationDate); Bio-Formats LeicaSCNReader",
        ("barcode", "creation-date", "name", "uuid", "device-serial", "unique-id"),
    ),
    "mirax": (
        "openslide.org/formats/mirax (Slidedat.ini as mirax.*); EMPAIA wsi-anon, src/mirax-io.c and CHANGELOG 0.4.23",
        (
            *("GENERAL.SLIDE_ID", "GENERAL.SLIDE_NAME", "GENERAL.PROJECT_NAME", "GENERAL.SLIDE_CREATIONDATETIME"),
            *("GENERAL.SLIDE_UTC_CREATIONDATETIME", "GENERAL.SLIDE_BARCODE", "GENERAL.SLIDE_LABEL"),
            *("GENERAL.SLIDE_QUALITY", "NONHIERLAYER_1_SECTION.SCANNER_HARDWARE_ID", "DATAFILE.FILE_0"),
            *("NONHIERLAYER_0_LEVEL_0_SECTION.BARCODE_VALUE", "NONHIERLAYER_0_LEVEL_0_SECTION.BARCODE_TYPE"),
            "HIERARCHICAL.INDEXFILE",
        ),
    ),
    "ventana": (
        "openslide.org/formats/ventana (attributes of iScan as ventana.*); EMPAIA wsi-anon src/utils/defines.h",
        (
            *("JP2FileName", "UnitNumber", "UserName", "Barcode1D", "Barcode2D", "BaseName", "BuildDate", "OperatorID"),
            *("SlideAnnotation", "LabelText", "ScanDate", "SlideID", "PatientID"),
        ),
    ),
    "philips": (
        (
            "openslide.org/formats/philips (DPUfsImport as philips.*); DSA-WSI-DeID wsi_deid/process.py; EMPAIA "
            "wsi-anon src/utils/defines.h"
        ),
        (
            *("DICOM_ACQUISITION_DATETIME", "DICOM_DEVICE_SERIAL_NUMBER", "DICOM_DATE_OF_LAST_CALIBRATION"),
            *("DICOM_TIME_OF_LAST_CALIBRATION", "PIIM_DP_SCANNER_RACK_NUMBER", "PIIM_DP_SCANNER_SLOT_NUMBER"),
            *(
                "PIIM_DP_SCANNER_OPERATOR_ID",
                "PIM_DP_UFS_BARCODE",
                "PIM_DP_SOURCE_FILE",
                "DICOM_DERIVATION_DESCRIPTION",
            ),
            *("PIM_DP_SCANNER_OPERATOR_ID", "DICOM_PATIENT_NAME", "DICOM_PATIENT_ID", "DICOM_ACCESSION_NUMBER"),
        ),
    ),
    "trestle": (
        "openslide.org/formats/trestle (ImageDescription as trestle.*)",
        ("Image Name", "Patient ID", "Slide ID", "Operator", "Date", "Comments"),
    ),
    "sakura": (
        "openslide.org/formats/sakura (columns of SVSlideDataXPO and SVHRScanDataXPO)",
        ("Creator", "Date", "Description", "DiagnosisCode", "Keywords", "ScanId", "SlideId"),
    ),
    "zeiss": (
        (
            "OpenSlide openslide-vendor-zeiss.c (Metadata/Information, AttachmentInfos, DisplaySetting as zeiss.*), "
            "the CZI metadata schema of ZEISS: Information/User, Information/Document, Information/Image"
        ),
        (
            *("Information.User.DisplayName", "Information.User.FirstName", "Information.User.LastName"),
            *("Information.Document.Name", "Information.Document.Author", "Information.Document.UserName"),
            *("Information.Document.CreationDate", "Information.Document.Title", "Information.Document.Description"),
            *(
                "Information.Image.AcquisitionDateAndTime",
                "Information.Instrument.Microscopes.Microscope:1.UserDefinedName",
            ),
            *("AttachmentInfos.Label.Barcodes.Barcode:1.Content", "Information.Image.S.Scenes.Scene:0.Name"),
            "Information.Instrument.Id",
        ),
    ),
    "olympus": (
        (
            "Bio-Formats CellSensReader (names of VSI tags: slide label, barcode, user); read here as OME-TIFF or "
            "through TIFF tags alone"
        ),
        ("Slide name", "Barcode", "User name", "Patient name", "Document creation time", "Microscope serial number"),
    ),
    "argos": (
        "OpenSlide src/openslide-vendor-argos.c (Argos.Scan.Metadata as argos.*)",
        ("Barcode", "SlideId", "Operator"),
    ),
    "huron": (
        "OpenSlide src/openslide-vendor-huron.c (lines of ImageDescription as huron.*)",
        ("Barcode", "Operator", "Slide ID", "Scan Date", "Serial Number"),
    ),
    "openslide": (
        "openslide.org/api: properties that OpenSlide copies from the above, and its hash of the file",
        ("comment", "barcode", "quickhash-1", "associated.JANE DOE.width"),
    ),
    "tiff": (
        "TIFF 6.0, section 8; Exif 2.32 tags; ImageDePHI base_rules.yaml, tiff.metadata; Adobe XMP in tag 700",
        (
            *("ImageDescription", "Artist", "HostComputer", "DateTime", "Copyright", "DocumentName", "PageName"),
            *("XMP", "IPTCNAA", "RichTIFFIPTC", "Photoshop", "ImageResources", "ExifTag", "GPSTag", "ImageUniqueID"),
            *("UserComment", "CameraOwnerName", "BodySerialNumber", "LensSerialNumber", "DateTimeOriginal"),
            *("DateTimeDigitized", "TargetPrinter", "ImageHistory", "SecurityClassification", "InkNames", "IJMetadata"),
            *("UniqueCameraModel", "CameraSerialNumber", "MakerNote", "XPAuthor", "XPTitle", "XPComment", "XPSubject"),
            *("65427", "65468", "65449", "65326"),
        ),
    ),
    "vips": (
        "libvips, metadata fields of its loaders (exif-ifd*, png-comment-*, xmp-data, iptc-data, filename)",
        (
            *("exif-ifd0-Artist", "exif-ifd0-ImageDescription", "exif-ifd0-DateTime", "exif-ifd2-UserComment"),
            *("png-comment-0-Title", "png-comment-1-Author", "filename", "xmp-data", "iptc-data", "image-description"),
            *("jpeg-comment", "exif-ifd0-HostComputer", "exif-ifd3-GPSLatitude"),
        ),
    ),
    "ome": (
        (
            "OME-XML schema 2016-06: Experimenter, ExperimenterGroup, Project, Dataset, Image, Instrument, UUID, "
            "StructuredAnnotations; DSA-WSI-DeID wsi_deid/process.py, omereduced"
        ),
        (
            *("ID", "Experimenter", "UserName", "Institution", "Email", "FirstName", "LastName", "Name", "Description"),
            *("AcquisitionDate", "UUID", "FileName", "SerialNumber", "LotNumber", "Namespace", "Annotator"),
        ),
    ),
    "dicom": ("DICOM PS3.15 (2024b), table E.1-1, basic profile", ()),
}
"""By the prefix of the property: where the names come from, and the names without prefix."""

_BASIC_PROFILE = """
AccessionNumber AcquisitionComments AcquisitionContextSequence AcquisitionDate AcquisitionDateTime
AcquisitionDeviceProcessingDescription AcquisitionFieldOfViewLabel AcquisitionProtocolDescription AcquisitionTime
AcquisitionUID ActualHumanPerformersSequence AdditionalPatientHistory AddressTrial AdmissionID AdmittingDate
AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription AdmittingTime AffectedSOPInstanceUID Allergies
AnnotationGroupDescription AnnotationGroupLabel AnnotationGroupUID ApprovalStatusDateTime Arbitrary
AssertionDateTime AssertionExpirationDateTime AttributeModificationDateTime AuthorObserverSequence BarcodeValue
BeamDescription BeamHoldTransitionDateTime BolusDescription BranchOfService CalibrationDate CalibrationDateTime
CalibrationTime CameraOwnerName CassetteID CertificateOfSigner CertifiedTimestamp
ClinicalTrialCoordinatingCenterName ClinicalTrialProtocolEthicsCommitteeApprovalNumber
ClinicalTrialProtocolEthicsCommitteeName ClinicalTrialProtocolID ClinicalTrialProtocolName
ClinicalTrialSeriesDescription ClinicalTrialSeriesID ClinicalTrialSiteID ClinicalTrialSiteName
ClinicalTrialSponsorName ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialTimePointDescription
ClinicalTrialTimePointID CommentsOnRadiationDose CommentsOnThePerformedProcedureStep CompensatorDescription
ConcatenationUID ConceptualVolumeCombinationDescription ConceptualVolumeDescription ConceptualVolumeUID
ConfidentialityConstraintOnPatientDataDescription ConstituentConceptualVolumeUID
ConsultingPhysicianIdentificationSequence ConsultingPhysicianName ContainerComponentID ContainerDescription
ContainerIdentifier ContentCreatorIdentificationCodeSequence ContentCreatorName ContentDate ContentSequence
ContentTime ContextGroupLocalVersion ContextGroupVersion ContrastBolusAgent ContrastBolusStartTime
ContrastBolusStopTime ContributionDateTime ContributionDescription CountryOfResidence CreationDate CreationTime
CurrentObserverTrial CurrentPatientLocation CurveDate CurveTime CustodialOrganizationSequence DataSetTrailingPadding
Date DateOfDocumentOrVerbalTransactionTrial DateOfInstallation DateOfLastCalibration DateOfLastDetectorCalibration
DateOfManufacture DateOfSecondaryCapture DateTime DateTimeOfLastCalibration DecayCorrectionDateTime
DecompositionDescription DerivationDescription DestinationAE DetectorID DeviceAlternateIdentifier DeviceDescription
DeviceLabel DeviceSerialNumber DeviceSettingDescription DeviceUID DigitalSignatureDateTime DigitalSignatureUID
DigitalSignaturesSequence DimensionOrganizationUID DischargeDate DischargeDiagnosisDescription DischargeTime
DisplacementReferenceLabel DistributionAddress DistributionName DoseReferenceDescription DoseReferenceUID
DosimetricObjectiveUID EffectiveDateTime EncapsulatedDocument EndAcquisitionDateTime EntityDescription EntityLabel
EntityLongLabel EntityName EquipmentFrameOfReferenceDescription EthicsCommitteeApprovalEffectivenessEndDate
EthicsCommitteeApprovalEffectivenessStartDate EthnicGroup ExclusionStartDateTime ExpectedCompletionDateTime
FailedSOPInstanceUIDList FiducialUID FillerOrderNumberImagingServiceRequest FilterLookupTableDescription
FindingsGroupRecordingDateTrial FindingsGroupRecordingTimeTrial FirstTreatmentDate FixationDeviceDescription
FlowIdentifier FlowIdentifierSequence FractionGroupDescription FractionationNotes FrameAcquisitionDateTime
FrameComments FrameOfReferenceUID FrameOriginTimestamp FrameReferenceDateTime FunctionalSyncPulse GPSAltitude
GPSAltitudeRef GPSAreaInformation GPSDOP GPSDateStamp GPSDestBearing GPSDestBearingRef GPSDestDistance
GPSDestDistanceRef GPSDestLatitude GPSDestLatitudeRef GPSDestLongitude GPSDestLongitudeRef GPSDifferential
GPSImgDirection GPSImgDirectionRef GPSLatitude GPSLatitudeRef GPSLongitude GPSLongitudeRef GPSMapDatum
GPSMeasureMode GPSProcessingMethod GPSSatellites GPSSpeed GPSSpeedRef GPSStatus GPSTimeStamp GPSTrack GPSTrackRef
GPSVersionID GantryID GeneratorID GraphicAnnotationSequence HL7DocumentEffectiveTime HangingProtocolCreationDateTime
HumanPerformerName HumanPerformerOrganization IconImageSequence IdentifyingComments ImageComments
ImagePresentationComments ImagingServiceRequestComments ImpedanceMeasurementDateTime Impressions
InformationIssueDateTime InstanceCoercionDateTime InstanceCreationDate InstanceCreationTime InstanceCreatorUID
InstanceOriginStatus InstitutionAddress InstitutionCodeSequence InstitutionName InstitutionalDepartmentName
InstitutionalDepartmentTypeCodeSequence InstructionPerformedDateTime InsurancePlanIdentification
IntendedFractionStartTime IntendedPhaseEndDate IntendedPhaseStartDate
IntendedRecipientsOfResultsIdentificationSequence InterlockDateTime InterlockDescription InterlockOriginDescription
InterpretationApprovalDate InterpretationApprovalTime InterpretationApproverSequence InterpretationAuthor
InterpretationDiagnosisDescription InterpretationID InterpretationIDIssuer InterpretationRecordedDate
InterpretationRecordedTime InterpretationRecorder InterpretationText InterpretationTranscriber
InterpretationTranscriptionDate InterpretationTranscriptionTime InterventionDrugStartTime InterventionDrugStopTime
IrradiationEventUID IssueDateOfImagingServiceRequest IssueTimeOfImagingServiceRequest IssuerOfAdmissionID
IssuerOfAdmissionIDSequence IssuerOfClinicalTrialProtocolID IssuerOfClinicalTrialSeriesID
IssuerOfClinicalTrialSiteID IssuerOfClinicalTrialSubjectID IssuerOfClinicalTrialSubjectReadingID
IssuerOfClinicalTrialTimePointID IssuerOfPatientID IssuerOfServiceEpisodeID IssuerOfServiceEpisodeIDSequence
IssuerOfTheContainerIdentifierSequence IssuerOfTheSpecimenIdentifierSequence LabelText
LargePaletteColorLookupTableUID LastMenstrualDate LensMake LensModel LensSerialNumber LensSpecification
LongDeviceDescription MAC MakerNote ManufacturerDeviceClassUID ManufacturerDeviceIdentifier
MediaStorageSOPInstanceUID MedicalAlerts MedicalRecordLocator MilitaryRank ModifiedAttributesSequence
ModifiedImageDate ModifiedImageDescription ModifiedImageTime ModifyingDeviceID ModifyingSystem
MostRecentTreatmentDate MultienergyAcquisitionDescription MultiplexGroupUID NameOfPhysiciansReadingStudy
NamesOfIntendedRecipientsOfResults NetworkID NonconformingDataElementValue NonconformingModifiedAttributesSequence
ObservationDateTime ObservationDateTrial ObservationStartDateTime ObservationSubjectUIDTrial ObservationTimeTrial
ObservationUID Occupation OperatorIdentificationSequence OperatorsName OrderCallbackPhoneNumber
OrderCallbackTelecomInformation OrderEnteredBy OrderEntererLocation OriginalAttributesSequence Originator
OtherClinicalTrialProtocolIDsSequence OtherPatientIDs OtherPatientIDsSequence OtherPatientNames OverlayDate
OverlayTime OverrideDateTime PaletteColorLookupTableUID ParticipantSequence ParticipationDateTime PatientAddress
PatientAge PatientBirthDate PatientBirthName PatientBirthTime PatientComments PatientID PatientInstitutionResidence
PatientInsurancePlanCodeSequence PatientMotherBirthName PatientName PatientPrimaryLanguageCodeSequence
PatientPrimaryLanguageModifierCodeSequence PatientReligiousPreference PatientSetupPhotoDescription PatientSetupUID
PatientSex PatientSexNeutered PatientSize PatientState PatientTelecomInformation PatientTelephoneNumbers
PatientTransportArrangements PatientTreatmentPreparationMethodDescription
PatientTreatmentPreparationProcedureParameterDescription PatientWeight PerformedLocation
PerformedProcedureStepDescription PerformedProcedureStepEndDate PerformedProcedureStepEndDateTime
PerformedProcedureStepEndTime PerformedProcedureStepID PerformedProcedureStepStartDate
PerformedProcedureStepStartDateTime PerformedProcedureStepStartTime PerformedStationAETitle
PerformedStationGeographicLocationCodeSequence PerformedStationName PerformedStationNameCodeSequence
PerformingPhysicianIdentificationSequence PerformingPhysicianName PersonAddress PersonIdentificationCodeSequence
PersonName PersonTelecomInformation PersonTelephoneNumbers PhysicianApprovingInterpretation PhysiciansOfRecord
PhysiciansOfRecordIdentificationSequence PhysiciansReadingStudyIdentificationSequence
PlacerOrderNumberImagingServiceRequest PlateID PositionAcquisitionTemplateDescription
PositionAcquisitionTemplateName PreMedication PregnancyStatus PrescriptionDescription PrescriptionNotes
PrescriptionNotesSequence PresentationCreationDate PresentationCreationTime PresentationDisplayCollectionUID
PresentationSequenceCollectionUID PriorTreatmentDoseDescription ProcedureStepCancellationDateTime
ProductExpirationDateTime ProtocolName PyramidDescription PyramidLabel PyramidUID ROICreatorSequence ROIDateTime
ROIDescription ROIGenerationDescription ROIInterpreter ROIInterpreterSequence ROIName ROIObservationDateTime
ROIObservationDescription ROIObservationLabel RTAccessoryDeviceSlotID RTAccessoryHolderSlotID
RTPhysicianIntentNarrative RTPlanDate RTPlanDescription RTPlanLabel RTPlanName RTPlanTime RTPrescriptionLabel
RTToleranceSetLabel RTTreatmentApproachLabel RTTreatmentPhaseUID RadiationDoseIdentificationLabel
RadiationDoseInVivoMeasurementLabel RadiationGenerationModeDescription RadiationGenerationModeLabel
RadiopharmaceuticalStartDateTime RadiopharmaceuticalStartTime RadiopharmaceuticalStopDateTime
RadiopharmaceuticalStopTime ReasonForOmissionDescription ReasonForRequestedProcedureCodeSequence ReasonForStudy
ReasonForSuperseding ReasonForTheAttributeModification ReasonForTheImagingServiceRequest
ReasonForTheRequestedProcedure ReasonForVisit ReasonForVisitCodeSequence ReceivingAE RecordedRTControlPointDateTime
ReferencedConceptualVolumeUID ReferencedDateTime ReferencedDigitalSignatureSequence ReferencedDoseReferenceUID
ReferencedDosimetricObjectiveUID ReferencedFiducialsUID ReferencedFrameOfReferenceUID
ReferencedGeneralPurposeScheduledProcedureStepTransactionUID ReferencedImageSequence ReferencedObservationUIDTrial
ReferencedPatientAliasSequence ReferencedPatientPhotoSequence ReferencedPatientSequence
ReferencedPerformedProcedureStepSequence ReferencedSOPInstanceMACSequence ReferencedSOPInstanceUID
ReferencedSOPInstanceUIDInFile ReferencedStudySequence ReferencedTreatmentPositionGroupUID ReferringPhysicianAddress
ReferringPhysicianIdentificationSequence ReferringPhysicianName ReferringPhysicianTelephoneNumbers RegionOfResidence
RelatedFrameOfReferenceUID RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments
RequestedProcedureDescription RequestedProcedureID RequestedProcedureLocation RequestedSOPInstanceUID
RequestedSeriesDescription RequestingAE RequestingPhysician RequestingService
RespiratoryMotionCompensationTechniqueDescription ResponsibleOrganization ResponsiblePerson ResultsComments
ResultsDistributionListSequence ResultsID ResultsIDIssuer RetrieveAETitle ReviewDate ReviewTime ReviewerName
SOPAuthorizationDateTime SOPInstanceUID SafePositionExitDate SafePositionExitTime SafePositionReturnDate
SafePositionReturnTime ScheduledAdmissionDate ScheduledAdmissionTime ScheduledDischargeDate ScheduledDischargeTime
ScheduledHumanPerformersSequence ScheduledPatientInstitutionResidence
ScheduledPerformingPhysicianIdentificationSequence ScheduledPerformingPhysicianName
ScheduledProcedureStepDescription ScheduledProcedureStepEndDate ScheduledProcedureStepEndTime
ScheduledProcedureStepExpirationDateTime ScheduledProcedureStepID ScheduledProcedureStepLocation
ScheduledProcedureStepModificationDateTime ScheduledProcedureStepStartDate ScheduledProcedureStepStartDateTime
ScheduledProcedureStepStartTime ScheduledStationAETitle ScheduledStationGeographicLocationCodeSequence
ScheduledStationName ScheduledStationNameCodeSequence ScheduledStudyLocation ScheduledStudyLocationAETitle
ScheduledStudyStartDate ScheduledStudyStartTime ScheduledStudyStopDate ScheduledStudyStopTime SelectorAEValue
SelectorASValue SelectorDAValue SelectorDTValue SelectorLOValue SelectorLTValue SelectorOBValue SelectorPNValue
SelectorSHValue SelectorSTValue SelectorTMValue SelectorUNValue SelectorURValue SelectorUTValue SeriesDate
SeriesDescription SeriesInstanceUID SeriesTime ServiceEpisodeDescription ServiceEpisodeID SetupTechniqueDescription
ShieldingDeviceDescription SlideIdentifier SmokingStatus SourceConceptualVolumeUID SourceEndDateTime
SourceFrameOfReferenceUID SourceIdentifier SourceImageSequence SourceManufacturer SourceOfPreviousValues
SourceSerialNumber SourceStartDateTime SourceStrengthReferenceDate SourceStrengthReferenceTime SpecialNeeds
SpecimenAccessionNumber SpecimenDetailedDescription SpecimenIdentifier SpecimenPreparationSequence
SpecimenShortDescription SpecimenUID StartAcquisitionDateTime StationAETitle StationName StorageMediaFileSetUID
StructureSetDate StructureSetDescription StructureSetLabel StructureSetName StructureSetTime StudyArrivalDate
StudyArrivalTime StudyComments StudyCompletionDate StudyCompletionTime StudyDate StudyDescription StudyID
StudyIDIssuer StudyInstanceUID StudyReadDate StudyReadTime StudyTime StudyVerifiedDate StudyVerifiedTime
SubstanceAdministrationDateTime SynchronizationFrameOfReferenceUID TargetUID TelephoneNumberTrial
TemplateExtensionCreatorUID TemplateExtensionOrganizationUID TemplateLocalVersion TemplateVersion TextComments
TextString Time TimeOfDocumentCreationOrVerbalTransactionTrial TimeOfLastCalibration TimeOfLastDetectorCalibration
TimeOfSecondaryCapture TimezoneOffsetFromUTC TopicAuthor TopicKeywords TopicSubject TopicTitle TrackingUID
TransactionUID TransducerIdentificationSequence TreatmentControlPointDate TreatmentControlPointTime TreatmentDate
TreatmentMachineName TreatmentPositionGroupLabel TreatmentPositionGroupUID TreatmentSessionUID TreatmentSite
TreatmentSites TreatmentTechniqueNotes TreatmentTime TreatmentToleranceViolationDateTime
TreatmentToleranceViolationDescription UDISequence UID UniqueDeviceIdentifier UserContentLabel UserContentLongLabel
VerbalSourceIdentifierCodeSequenceTrial VerbalSourceTrial VerificationDateTime
VerifyingObserverIdentificationCodeSequence VerifyingObserverName VerifyingObserverSequence VerifyingOrganization
VisitComments WaveformFilterDescription XRayDetectorID XRayDetectorLabel XRaySourceID
"""

BASIC_PROFILE = tuple(_BASIC_PROFILE.split())
"""Keywords of all attributes that the basic profile removes, empties or replaces; the names of ``dicom``."""
